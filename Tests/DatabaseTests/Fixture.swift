import AtticAPI
import Crypto
import Database
import Logging
import Nix
import Platform
import SQL
import Support
import Testing

/// The databases that the conformance suite runs against; each knows how to make a fresh one.
enum Kind: CaseIterable, CustomTestStringConvertible {
    case sqlite, postgres
    /// Those that are there: `scripts/test` starts a server.
    static var allCases: [Kind] { TestPostgres.serverURL == nil ? [.sqlite] : [.sqlite, .postgres] }
    var testDescription: String { self == .sqlite ? "SQLite" : "PostgreSQL" }
}

/// A fresh database of a test's own, with the schema, and short words for filling it.
///
/// Numbers stand for things: path 1, NAR 1, chunk 1 have hashes made of the number. Times are in seconds.
final class Fixture {
    let kind: Kind
    let directory: TemporaryDirectory
    let catalog: Catalog
    let location: DatabaseLocation
    private let schema: TestSchema?
    /// Of SQLite's file.
    var path: String { directory.file("server.db") }

    /// - Parameter transactionTime: long, so that a busy machine does not decide what is committed together.
    init(_ kind: Kind, directory: TemporaryDirectory? = nil, schema: TestSchema? = nil, transactionTime: Duration = .seconds(3600)) throws {
        self.kind = kind
        self.directory = try directory ?? TemporaryDirectory()
        var options = Catalog.Options()
        options.transactionTime = transactionTime
        options.lookPatience = .seconds(60)
        switch kind {
        case .sqlite:
            self.schema = nil
            location = .sqlite(path: self.directory.file("server.db"))
        case .postgres:
            let schema = try schema ?? TestSchema(onServer: #require(TestPostgres.serverURL))
            self.schema = schema
            location = .postgres(try PostgresLocation(url: schema.url, applicationName: "tests"))
        }
        catalog = try Catalog(location, readers: 2, log: Fixture.log, options: options)
        try catalog.migrate()
    }

    static let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// The same database after a crash: what a new process finds when this one is killed now.
    func crashed() throws -> Fixture {
        // A server has all that was committed, whatever becomes of us.
        if kind == .postgres { return try Fixture(kind, directory: directory, schema: schema) }
        let directory = try TemporaryDirectory()
        for name in ["server.db", "server.db-wal"] where File.exists(self.directory.file(name)) {
            let bytes = try File.readAll(self.directory.file(name))
            try File.replace(directory.file(name), with: bytes, permissions: 0o600)
        }
        return try Fixture(kind, directory: directory)
    }

    /// Another process with the same database.
    func beside() throws -> Fixture { try Fixture(kind, directory: directory, schema: schema) }

    /// The same database, closed in order and opened again.
    func reopened() throws -> Fixture {
        catalog.close()
        return try Fixture(kind, directory: directory, schema: schema)
    }

    // MARK: Things by number

    static func digest(_ kind: UInt8, _ number: Int) -> SHA256Digest {
        var bytes = [UInt8](repeating: kind, count: SHA256Digest.byteCount)
        for index in 0..<8 { bytes[index] = UInt8(truncatingIfNeeded: number >> (8 * index)) }
        guard let digest = SHA256Digest(bytes) else { preconditionFailure("32 bytes are a digest") }
        return digest
    }
    static func nar(_ number: Int) -> SHA256Digest { digest(1, number) }
    static func file(_ number: Int) -> SHA256Digest { digest(2, number) }
    static func chunk(_ number: Int) -> SHA256Digest { digest(3, number) }

    static func path(_ number: Int) -> StorePathHash {
        let digits = String(number)
        guard let hash = StorePathHash(String(repeating: "0", count: 32 - digits.count) + digits) else {
            preconditionFailure("digits are Nix base-32")
        }
        return hash
    }

    static func time(_ seconds: Int) -> WallTime { WallTime(milliseconds: Int64(seconds) * 1000) }
    static func clock(_ seconds: Int) -> TimeSource { TimeSource { time(seconds) } }

    static func name(_ name: String) -> CacheName {
        guard let name = CacheName(name) else { preconditionFailure("not a name of a cache: \(name)") }
        return name
    }

    // MARK: Filling it

    /// Makes a cache; its record.
    @discardableResult
    func cache(_ name: String = "main", retentionSeconds: Int64? = nil, isPublic: Bool = false) throws -> CacheRecord {
        let new = NewCache(
            name: Fixture.name(name), keypair: "\(name):key", isPublic: isPublic, storeDirectory: "/nix/store",
            priority: 41, retentionSeconds: retentionSeconds, createdAt: Fixture.time(0))
        _ = try catalog.write { session throws(DatabaseError) in try session.createCache(new) }
        return try #require(try catalog.read { session throws(DatabaseError) in try session.findCache(new.name) })
    }

    static func object(
        _ cache: CacheRecord, _ path: Int, references: [Int] = [], signatures: [String] = [], at seconds: Int = 100
    ) -> NewObject {
        NewObject(
            cacheID: cache.id, storePathHash: Fixture.path(path), storePath: "/nix/store/\(Fixture.path(path))-p\(path)",
            references: references.map { "\(Fixture.path($0))-p\($0)" }, signatures: signatures,
            at: Fixture.time(seconds))
    }

    static func newNar(_ number: Int) -> NewNar {
        NewNar(
            narHash: nar(number), narSize: 1000, fileHash: file(number), fileSize: 500, compression: "zstd")
    }

    /// A chunk that was stored: 100 bytes in `pack`, at 100 times `slot`.
    static func stored(_ chunk: Int, _ pack: String, _ slot: Int, repair: Bool = false) -> Commit.Chunk {
        .stored(
            hash: Fixture.chunk(chunk), byteCount: 200,
            frame: StoredFrame(
                extent: StoredExtent(pack: pack, offset: Int64(slot) * 100, byteCount: 100), checksum: checksum(pack, slot)),
            repair: repair)
    }

    /// What is said to be the checksum of the frame that `stored` puts there: one of each place, the highest bit set.
    static func checksum(_ pack: String, _ slot: Int) -> UInt64 { 1 << 63 | UInt64(slot) << 8 | UInt64(pack.utf8.last ?? 0) }

    func commit(_ commit: Commit) throws -> CommitOutcome {
        try catalog.write { session throws(DatabaseError) in try session.commitUpload(commit) }
    }

    /// Pushes a path whose NAR has the path's number and one chunk of that number in a pack of its own (`pack-N`), or the
    /// chunks named.
    @discardableResult
    func push(
        _ cache: CacheRecord, _ path: Int, nar: Int? = nil, chunks: [Commit.Chunk]? = nil, references: [Int] = [],
        at seconds: Int = 100
    ) throws -> Committed {
        let nar = nar ?? path
        let outcome = try commit(Commit(
            uploadID: nil, chunks: chunks ?? [Fixture.stored(nar, "pack-\(nar)", 0)], nar: Fixture.newNar(nar),
            object: Fixture.object(cache, path, references: references, at: seconds)))
        guard case .committed(let committed) = outcome, committed.count == 1 else {
            throw DatabaseError(.other, "push", "", "the outcome was \(outcome)")
        }
        return committed[0]
    }

    // MARK: Looking at it

    func object(_ cache: CacheRecord, _ path: Int) throws -> ObjectRecord? {
        try catalog.read { session throws(DatabaseError) in try session.findObject(cache.id, Fixture.path(path)) }
    }

    /// Which of the paths are there.
    func present(_ cache: CacheRecord, _ paths: some Sequence<Int>) throws -> [Int] {
        try paths.filter { try object(cache, $0) != nil }
    }

    func chunks(_ numbers: some Sequence<Int>) throws -> [SHA256Digest: ChunkRecord] {
        let hashes = numbers.map { Fixture.chunk($0) }
        return try catalog.read { session throws(DatabaseError) in try session.findChunks(hashes, "zstd") }
    }

    func deadExtents() throws -> [StoredExtent] {
        try catalog.read { session throws(DatabaseError) in try session.deadExtents(limit: 1000) }.map(\.extent)
    }

    func emptyPacks() throws -> [String] {
        try catalog.write { session throws(DatabaseError) in try session.emptyPacks(limit: 1000) }
    }

    func sweep(at seconds: Int = 200, retention: Int64 = 0, batch: Int = 500) throws -> SweepReport {
        try catalog.sweepRows(time: Fixture.clock(seconds), defaultRetentionSeconds: retention, rowsMax: batch)
    }

    /// A connection beside the catalog's.
    func connect() throws -> any SQLConnection {
        switch location {
        case .sqlite(let path): try SQLiteConnection(path: path, access: .readWrite)
        case .postgres(let server): try PostgresConnection(server)
        }
    }

    /// How many rows a table has; by a connection of its own.
    func count(_ table: String) throws -> Int64 {
        return try connect().first("SELECT count(*) FROM \(table)") { row throws(SQLError) in try row.integer(0) } ?? -1
    }
}

extension Commit {
    /// A commit of one path with a NAR of its own.
    init(uploadID: Int64?, packs: [PackState] = [], chunks: [Chunk], nar: NewNar, object: NewObject) {
        self.init(uploadID: uploadID, packs: packs, paths: [Path(object, naming: .uploaded(nar, chunks: chunks))])
    }

    /// A commit of one path whose NAR is there.
    init(existingNarID: Int64, hash: SHA256Digest, object: NewObject) {
        self.init(uploadID: nil, paths: [Path(object, naming: .existing(id: existingNarID, hash: hash))])
    }
}
