import Database
import Logging
import Platform
import Support

@testable import AtticServer
@testable import Storage

/// Packs as objects of a bucket. A crash leaves whatever was put there, and what was begun in parts; no power cut undoes it.
final class BucketStorage: SimulatedStorage {
    private let server: BucketServer
    private let name: String

    convenience init(_ stage: Stage) throws {
        let server = try BucketServer.shared(stage)
        self.init(server, server.makeBucket(copying: nil))
    }

    private init(_ server: BucketServer, _ name: String) {
        self.server = server
        self.name = name
    }

    deinit { server.removeBucket(name) }

    var settings: String {
        """
        type = "s3"
        bucket = "\(name)"
        region = "us-east-1"
        endpoint = "http://\(server.address)"
        grace-period = "15m"
        [storage.credentials]
        access_key_id = "simulation"
        secret_access_key = "of no use elsewhere"
        """
    }

    func adjust(_ configuration: inout Configuration) {
        configuration.s3?.limits.triesMax = 3
        configuration.s3?.limits.partBytes = 6000
        configuration.s3?.limits.rangeBytes = 5000
    }

    func open(
        _ configuration: Configuration, _ catalog: Catalog, _ stage: Stage, _ time: TimeSource, log: Logger
    ) throws -> any ChunkStore {
        guard let s3 = configuration.s3 else { preconditionFailure("the configuration of a bucket names one") }
        // All packs that a collection copies fit into one, as they do by default.
        let store = try S3ChunkStore(
            s3.bucket, s3.credentials, limits: s3.limits, journal: CatalogPackJournal(catalog, time: time, log: log),
            time: time, log: log, newName: { stage.nextPack() }, sleep: { _ in })
        // What they would do is done by those who ask for it, in order.
        store.workers.stop()
        return store
    }

    func crashed(isPowerCut: Bool, _ dice: inout Dice, _ stage: Stage) -> any SimulatedStorage {
        BucketStorage(server, server.makeBucket(copying: name))
    }

    func timePasses() { server.finishLate(name) }

    func strayBytes(beside living: [String: [Range<Int64>]]) -> String? {
        let bucket = server.bucket(name)
        if let upload = bucket.uploads.values.first(where: { !$0.parts.isEmpty }) {
            return "an upload of \(upload.key) was begun, and is still there"
        }
        if let conflict = bucket.conflict { return conflict }
        let packs = bucket.objects.filter { $0.key.hasPrefix("packs/") }.map { (name: String($0.key.dropFirst(6)), bytes: $0.value) }
        for pack in packs.sorted(by: { $0.name < $1.name }) {
            guard let ranges = living[pack.name] else { return "no chunk lies in the object \(pack.name) of \(pack.bytes.count) bytes" }
            var (end, livingCount): (Int64, Int64) = (0, 0)
            for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
                if range.lowerBound < end { return "chunks of \(pack.name) overlap" }
                end = range.upperBound
                livingCount += range.upperBound - range.lowerBound
            }
            if end > pack.bytes.count { return "chunks of \(pack.name) lie beyond its \(pack.bytes.count) bytes" }
            if 2 * livingCount < pack.bytes.count {
                return "more than half of \(pack.name) is dead, \(livingCount) of \(pack.bytes.count) bytes live, and it was not copied"
            }
        }
        return packs.count > 16 ? "there are \(packs.count) small packs, and they were not put together" : nil
    }
}
