import Database
import Encoding
import Logging
import Platform
import Storage

@testable import AtticServer

/// What a server of the simulation stands on: a database and a storage, and what a crash leaves of them.
final class World: Sendable {
    let combination: Combination
    let configuration: Configuration
    private let database: any SimulatedDatabase
    private let storage: any SimulatedStorage

    /// - Parameters:
    ///   - stage: says what goes wrong with connections, and when.
    convenience init(_ combination: Combination, _ stage: Stage) throws {
        let database: any SimulatedDatabase = switch combination.database {
        case .sqlite: try SQLiteFile()
        case .postgresql: try PostgresServer(stage)
        }
        let storage: any SimulatedStorage = switch combination.storage {
        case .local: try LocalDirectory()
        case .s3: try BucketStorage(stage)
        }
        try self.init(combination, database, storage)
    }

    private init(_ combination: Combination, _ database: any SimulatedDatabase, _ storage: any SimulatedStorage) throws {
        self.combination = combination
        self.database = database
        self.storage = storage
        let text = """
            [database]
            \(database.settings)
            [storage]
            \(storage.settings)
            [chunking]
            nar-size-threshold = 600
            min-size = 128
            avg-size = 512
            max-size = 2048
            [jwt.signing]
            token-hs256-secret-base64 = "\(Base64.encode(SimulatedServer.secret))"
            """
        var configuration = try Configuration.parse(text, name: "the simulation's configuration", environment: [:])
        configuration.chunking.gatheredBytesTarget = 4000
        storage.adjust(&configuration)
        self.configuration = configuration
    }

    /// What may go wrong here.
    var troubles: [Stage.Target] {
        [.calls] + (combination.database == .postgresql ? [.database] : []) + (combination.storage == .s3 ? [.bucket] : [])
    }

    /// Dead bytes stay until a pack is half dead, and a pack without life until a time is over.
    var keepsDeadBytes: Bool { combination.storage == .s3 }

    /// After so long, by the clock, a pack may be gone that was there.
    var grace: Duration { .seconds(configuration.s3?.graceSeconds ?? 0) }

    /// Opens both as a server that starts does, and puts in order what a crash left.
    func open(_ stage: Stage, _ time: TimeSource, log: Logger) throws -> (catalog: Catalog, store: any ChunkStore) {
        try database.prepare()
        let catalog = try Catalog(configuration.database, readers: 2, log: log)
        do {
            try catalog.migrate()
            return (catalog, try storage.open(configuration, catalog, stage, time, log: log))
        } catch {
            catalog.close()
            throw error
        }
    }

    /// The same world as a crash at this very moment leaves it; nothing else runs meanwhile. Whatever the old server does from now
    /// on, which is dead, does nothing to it.
    ///
    /// - Parameter isPowerCut: what was not made durable is lost.
    func crashed(isPowerCut: Bool, _ dice: inout Dice, _ stage: Stage) throws -> World {
        let database = try database.crashed()
        return try World(combination, database, storage.crashed(isPowerCut: isPowerCut, &dice, stage))
    }

    /// The clock has moved: what was on its way has arrived.
    func timePasses() { storage.timePasses() }

    /// Bytes that nothing names, in a sentence; nil where there are none.
    ///
    /// - Parameter living: where chunks lie, by pack.
    func strayBytes(beside living: [String: [Range<Int64>]]) throws -> String? { try storage.strayBytes(beside: living) }
}

/// Which database, and which storage.
struct Combination: Sendable {
    enum Database: String { case sqlite, postgresql }
    enum Storage: String { case local, s3 }
    var database = Database.sqlite
    var storage = Storage.local

    /// As scripts/simulate is told it; empty for what it takes by itself.
    var options: String {
        (database == .sqlite ? "" : " --database \(database)") + (storage == .local ? "" : " --storage \(storage)")
    }
}

/// One kind of database.
protocol SimulatedDatabase: AnyObject, Sendable {
    /// Lines of `[database]`.
    var settings: String { get }

    /// Ends what a server that is gone may have left there; called before it is opened.
    func prepare() throws

    /// What a crash leaves. No transaction is open.
    func crashed() throws -> any SimulatedDatabase
}

/// One kind of storage.
protocol SimulatedStorage: AnyObject, Sendable {
    /// Lines of `[storage]`.
    var settings: String { get }

    /// Sets what no file can: such bounds that little suffices to reach them.
    func adjust(_ configuration: inout Configuration)

    func open(_ configuration: Configuration, _ catalog: Catalog, _ stage: Stage, _ time: TimeSource, log: Logger) throws -> any ChunkStore

    /// As with `World`.
    func crashed(isPowerCut: Bool, _ dice: inout Dice, _ stage: Stage) throws -> any SimulatedStorage
    func timePasses()
    func strayBytes(beside living: [String: [Range<Int64>]]) throws -> String?
}

extension SimulatedStorage {
    func adjust(_ configuration: inout Configuration) {}
    func timePasses() {}
}
