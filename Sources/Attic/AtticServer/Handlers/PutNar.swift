import AtticAPI
import Compression
import Crypto
import Database
import HTTP
import HTTPServer
import Platform

/// `PUT /{cache}/nar/{file hash}.nar{suffix}`: takes in a NAR as plain Nix sends it, compressed as it likes.
///
/// The file is hashed as it comes, decoded, and stored like any push. Nobody says whose NAR it is yet: the narinfo comes
/// next (`PutNarInfo`), and until then, a day at most, the file holds it.
enum PutNar {
    static func respond(_ call: Call, _ name: CacheName, _ nar: NarName) throws -> Response {
        let cache = try call.enter(name, needing: .push)
        let file = try announced(call, nar)
        let lease = UploadLease(catalog: call.context.catalog, time: call.context.time)
        let pipeline = try UploadPipeline(call.context, lease: lease, for: call.visitor)
        let intake = NarFileIntake(
            file.coding, declaredByteCount: call.request.body.declaredByteCount,
            narSizeMax: call.context.configuration.maxNarSize, windows: call.context.largeWindows, into: pipeline)
        let (stored, arrived): (UploadPipeline.Stored, NarFileIntake.Arrived)
        do {
            try unsafe call.request.body.forEachBuffer(upTo: .max) { bytes in try unsafe intake.receive(bytes) }
            arrived = try intake.finish(expectedHash: file.hash)
            stored = try pipeline.finish()
        } catch {
            pipeline.abandon()
            throw error
        }
        let new = stored.nars[0]
        let now = call.context.time.now()
        let received = NewReceivedFile(
            cacheID: cache.id, fileHash: file.hash, fileSize: arrived.fileSize, coding: arrived.coding.rawValue,
            receivedAt: now, heldUntil: now + .seconds(Bounds.receivedFileSeconds))
        do {
            try call.commit(
                Commit.File(received, naming: .uploaded(new.nar, chunks: new.chunks)), into: name, packs: stored.packs,
                storedBy: pipeline, lease: lease)
        } catch {
            lease.end()
            throw error
        }
        return Response(.created)
    }

    /// What the request's head says of the file; everything that can be refused before its bytes come.
    private static func announced(_ call: Call, _ nar: NarName) throws(Problem) -> (hash: SHA256Digest, coding: StreamCoding?) {
        guard case .file(let hash, let suffix) = nar else {
            throw .request("a NAR is put under the hash of its file, nar/{52 characters of Nix's base 32}.nar, with .xz, .zst or .br behind it.")
        }
        let coding = try coding(suffix: suffix)
        guard try call.bodyCoding() == .none else {
            throw .unsupportedForm("a NAR is not put with a Content-Encoding: how it is compressed is in its name.")
        }
        let most = call.context.configuration.maxNarSize
        if let count = call.request.body.declaredByteCount, count > most {
            throw .tooLarge("the file has \(count) bytes, but max-nar-size allows a NAR of \(most).")
        }
        return (hash, coding)
    }

    /// What a file's name says of its coding; nil where that must be seen from its bytes: Nix writes no suffix for gzip.
    private static func coding(suffix: String) throws(Problem) -> StreamCoding? {
        if suffix.isEmpty { return nil }
        if let coding = StreamCoding.allCases.first(where: { $0.takesSuffix(suffix) }) { return coding }
        throw .unsupportedForm("this server does not read \"\(Route.printable(suffix))\": push with compression=zstd, xz, br, gzip or none in the store's URL.")
    }
}
