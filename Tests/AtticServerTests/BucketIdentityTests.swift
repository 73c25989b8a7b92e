import Database
import Platform
import Testing

@testable import AtticServer
@testable import Storage

@Suite("The bucket that a database is of")
struct BucketIdentityTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture(on: .bucket) }

    /// What opening the fixture's bucket for a database comes to; nil where it is taken.
    private func refusal(_ catalog: Catalog, forServing: Bool = true) throws -> String? {
        do throws(StorageError) {
            try BucketIdentity.check(open(), at: "s3://chunks", catalog, forServing: forServing)
            return nil
        } catch { return "\(error)" }
    }

    private func open() throws(StorageError) -> S3ChunkStore {
        guard let s3 = fixture.context.configuration.s3 else { preconditionFailure("the fixture is on a bucket") }
        return try S3ChunkStore(s3.bucket, s3.credentials, journal: nil, forServing: false, log: fixture.context.log)
    }

    private func storageID(_ catalog: Catalog) throws -> String? {
        try catalog.read { session throws(DatabaseError) in try session.storageID() }
    }

    @Test("gets an id from the first that serves, and is refused to every other database from then on, with what to do")
    func another() throws {
        let strange = try Fixture(on: .bucket)
        defer { withExtendedLifetime(strange) {} }
        let (catalog, other) = (fixture.context.catalog, strange.context.catalog)
        #expect(try refusal(other, forServing: false) == nil && open().id == nil, "who does not serve decides nothing")
        #expect(try refusal(catalog) == nil)
        let id = try #require(try open().id)
        #expect(try storageID(catalog) == "bucket \(id)")
        for forServing in [true, false] {
            #expect(try refusal(catalog, forServing: forServing) == nil)
            let words = try #require(try refusal(other, forServing: forServing))
            #expect(words.contains("the packs of another database: its VERSION says \(id), this database, which names no packs, nothing") && words.contains("empty the bucket"))
        }
        #expect(try open().id == id && storageID(other) == nil, "a refusal changes nothing")
        // As the words say.
        try open().client.delete("VERSION")
        #expect(try refusal(other) == nil)
        #expect(try refusal(catalog)?.contains("names no packs, \(id)") == true)
    }

    @Test("is the one that has its packs, where it was opened before there were ids: one that serves makes them known to each other")
    func earlier() throws {
        let catalog = fixture.context.catalog
        #expect(try fixture.push(TestPath("tool", seeds: [1], byteCount: 100_000), to: fixture.makeCache("hello")).status == .ok)
        try catalog.write { session throws(DatabaseError) in try session.noteStorage("bucket") }
        #expect(try refusal(catalog, forServing: false) == nil)
        #expect(try open().id == nil && storageID(catalog) == "bucket")
        #expect(try refusal(catalog) == nil)
        let id = try #require(try open().id)
        #expect(try storageID(catalog) == "bucket \(id)")
        // An earlier copy of the database, brought back.
        try catalog.write { session throws(DatabaseError) in try session.noteStorage("bucket") }
        #expect(try refusal(catalog) == nil)
        #expect(try open().id == id && storageID(catalog) == "bucket \(id)")
    }

    @Test("is the one that has packs of its database, and no other, where one of both knows of no id", arguments: [nil, "one"], [nil, "two"])
    func packs(known: String?, said: String?) throws {
        let catalog = fixture.context.catalog
        #expect(try fixture.push(TestPath("tool", seeds: [1], byteCount: 100_000), to: fixture.makeCache("hello")).status == .ok)
        try catalog.write { session throws(DatabaseError) in try session.noteStorage(known.map { "bucket \($0)" } ?? "bucket") }
        if let said { try open().setID(said) }
        if known == nil || said == nil { #expect(try refusal(catalog, forServing: false) == nil) }
        // Another's bucket, with a pack of that one.
        let pack = try #require(try fixture.store.packNames().first)
        try open().client.put("packs/0123456789abcdef0123456789abcdef", [1])
        try open().client.delete("packs/\(pack.text)")
        for forServing in [true, false] {
            let words = try #require(try refusal(catalog, forServing: forServing))
            #expect(words.contains("its VERSION says \(said ?? "nothing"), this database \(known ?? "nothing")"))
        }
        #expect(try open().id == said && storageID(catalog) == (known.map { "bucket \($0)" } ?? "bucket"), "a refusal changes nothing")
    }

    @Test("is no new database's, where it has packs, and no id yet")
    func new() throws {
        try open().client.put("packs/0123456789abcdef0123456789abcdef", [1])
        for forServing in [true, false] { #expect(try refusal(fixture.context.catalog, forServing: forServing)?.contains("VERSION says nothing") == true) }
        #expect(try open().id == nil)
    }

    @Test("is not this one, where the database names packs in a directory")
    func directory() throws {
        let catalog = fixture.context.catalog
        try catalog.write { session throws(DatabaseError) in try session.noteStorage("0123") }
        #expect(try refusal(catalog) == nil, "nothing is stored there")
        try catalog.write { session throws(DatabaseError) in try session.noteStorage("0123") }
        #expect(try fixture.push(TestPath("tool", seeds: [1], byteCount: 100_000), to: fixture.makeCache("hello")).status == .ok)
        #expect(try refusal(catalog)?.contains("are in a directory, of which VERSION says 0123") == true)
    }

    @Test("has one id where servers of one database open it at once")
    func together() throws {
        let catalog = fixture.context.catalog
        // Both have found no id before either gives one.
        let stores = [try open(), try open()]
        for store in stores { try BucketIdentity.check(store, at: "s3://chunks", catalog, forServing: true) }
        #expect(try storageID(catalog) == "bucket \(try #require(try open().id))")
    }

    @Test("is compared by check-config, which writes nothing there")
    func checked() throws {
        let context = fixture.context
        func findings() -> [String] { ConfigurationCheck.findings(context.configuration, listen: [], log: context.log) }
        #expect(findings() == [])
        #expect(try open().id == nil)
        #expect(try refusal(context.catalog) == nil)
        #expect(findings() == [])
        try open().setID("another")
        let words = findings()
        #expect(words.count == 1 && words[0].contains("its VERSION says another"))
        var absent = context.configuration
        absent.database = .sqlite(path: fixture.directory.file("absent.db"))
        #expect(ConfigurationCheck.findings(absent, listen: [], log: context.log).first?.contains("which names no packs, nothing") == true)
    }
}
