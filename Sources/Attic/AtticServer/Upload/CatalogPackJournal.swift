import Database
import Logging
import Platform
import Storage

/// The names of packs in a bucket, in the database: loose ones, until a commit names them.
///
/// Thread: any.
final class CatalogPackJournal: PackJournal {
    private let catalog: Catalog
    private let time: TimeSource
    private let log: Logger

    /// How long an upload may take that sends nothing into the bucket meanwhile. What a crash leaves waits as long.
    static let lease = Duration.seconds(86_400)

    init(_ catalog: Catalog, time: TimeSource, log: Logger) {
        self.catalog = catalog
        self.time = time
        self.log = log
    }

    func begin(_ name: PackName) throws {
        let expiry = time.now() + CatalogPackJournal.lease
        do throws(DatabaseError) {
            try catalog.write { session throws(DatabaseError) in try session.beginLoosePack(name.text, expiresAt: expiry) }
        } catch {
            // For a while, as where the bucket is away: who pushes is told to come again.
            let cause: StorageError.Cause = switch error.kind {
            case .full: .full
            case .busy, .closed, .unreachable, .inDoubt, .cannotOpen, .diskTrouble: .unreachable("\(error)")
            case .corrupt, .notOurs, .tooNew, .constraint, .other: .checkFailed("\(error)")
            }
            throw StorageError("note", "pack \(name)", cause)
        }
    }

    func renew(_ name: PackName) {
        let expiry = time.now() + CatalogPackJournal.lease
        do {
            try catalog.write(surviving: .crash) { session throws(DatabaseError) in
                try session.renewLoosePack(name.text, expiresAt: expiry)
            }
        } catch { log.notice("could not renew the pack \(name): \(error)") }
    }

    func namesPacks() throws -> Bool {
        try catalog.read { session throws(DatabaseError) in try session.namesPacks() }
    }

    func forget(_ name: PackName) {
        do {
            try catalog.write(surviving: .crash) { session throws(DatabaseError) in try session.forgetLoosePack(name.text) }
        } catch { log.notice("could not forget the pack \(name), a collection will: \(error)") }
    }
}
