import Database
import Logging
import Platform
import Storage
import Testing

@testable import AtticServer

@Suite("The storage that a database is of", .packsAreFiles)
struct DirectoryIdentityTests {
    private let fixture: Fixture
    private let store: LocalChunkStore
    private var log: Logger { fixture.context.log }

    init() throws {
        fixture = try Fixture()
        store = try #require(fixture.store as? LocalChunkStore)
    }

    /// What opening a directory for the fixture's database comes to; nil where it is taken.
    private func refusal(_ path: String, forServing: Bool) throws -> String? {
        let id = try LocalChunkStore(path: path, forServing: forServing, log: log).id
        do throws(StorageError) {
            try DirectoryIdentity.check(id, at: path, fixture.context.catalog, forServing: forServing)
            return nil
        } catch { return "\(error)" }
    }

    @Test("is the first that a server opens; no other is taken, whoever comes with it, and the words say what to do")
    func directories() throws {
        let (first, second) = (fixture.directory.file("first"), fixture.directory.file("second"))
        #expect(try refusal(second, forServing: false) == nil, "who does not serve decides nothing")
        #expect(try refusal(first, forServing: true) == nil)
        #expect(try refusal(first, forServing: false) == nil)
        let id = try #require(try LocalChunkStore(path: first, forServing: false, log: log).id)
        for forServing in [true, false] {
            let words = try #require(try refusal(second, forServing: forServing))
            #expect(words.hasPrefix("cannot open storage \(second): ") && words.contains(id) && words.contains("several servers need a bucket"))
        }
        // As the words say.
        try File.replace("\(second)/VERSION", with: Array("tetryx storage 1\n\(id)\n".utf8), permissions: 0o600)
        #expect(try refusal(second, forServing: true) == nil)
    }

    @Test("is the bucket, where that was first: then no directory is taken")
    func bucket() throws {
        for id in ["bucket", "bucket 0123456789abcdef"] {
            try fixture.context.catalog.write { session throws(DatabaseError) in try session.noteStorage(id) }
            #expect(try refusal(fixture.directory.file("first"), forServing: true)?.contains("set [storage] type = \"s3\"") == true)
        }
    }

    @Test("may be changed until something is stored in it")
    func unused() throws {
        let catalog = fixture.context.catalog
        try DirectoryIdentity.check("first", at: "/a", catalog, forServing: true)
        for id in ["second", "bucket", "third"] { try DirectoryIdentity.check(id, at: "/b", catalog, forServing: true, replacesUnused: true) }
        #expect(throws: StorageError.self) { try DirectoryIdentity.check("fourth", at: "/b", catalog, forServing: false, replacesUnused: true) }
        #expect(try fixture.push(TestPath("tool", seeds: [1], byteCount: 100_000), to: fixture.makeCache("hello")).status == .ok)
        #expect(throws: StorageError.self) { try DirectoryIdentity.check("fourth", at: "/b", catalog, forServing: true, replacesUnused: true) }
        try DirectoryIdentity.check("third", at: "/b", catalog, forServing: true, replacesUnused: true)
    }

    @Test("is asked for by whatever opens it: a collection and fsck do not take another directory's packs for lost")
    func everywhere() throws {
        let configuration = fixture.context.configuration
        try DirectoryIdentity.check(store.id, at: configuration.storagePath, fixture.context.catalog, forServing: true)
        var other = configuration
        other.storagePath = fixture.directory.file("other")
        _ = try LocalChunkStore(path: other.storagePath, forServing: false, log: log)
        #expect(throws: StorageError.self) { try SingleCollection.run(other, fixture.context.catalog, log: log) { true } }
        #expect(throws: StorageError.self) { try Fsck.open(other, log: log) }
        _ = try SingleCollection.run(configuration, fixture.context.catalog, log: log) { true }
    }

    @Test("is compared by check-config, which makes nothing")
    func checked() throws {
        let configuration = fixture.context.configuration
        func findings(_ path: String) -> [String] {
            var other = configuration
            other.storagePath = path
            return ConfigurationCheck.findings(other, listen: [], log: log)
        }
        let (empty, absent) = (fixture.directory.file("empty"), fixture.directory.file("absent"))
        try Directory.make(empty)
        for path in [empty, absent, configuration.storagePath] { #expect(findings(path) == [], "no server has opened both") }
        try DirectoryIdentity.check(store.id, at: configuration.storagePath, fixture.context.catalog, forServing: true)
        #expect(try fixture.push(TestPath("tool", seeds: [1], byteCount: 100_000), to: fixture.makeCache("hello")).status == .ok)
        #expect(findings(configuration.storagePath) == [])
        let stranger = fixture.directory.file("stranger")
        _ = try LocalChunkStore(path: stranger, forServing: false, log: log)
        for path in [stranger, empty, absent] {
            let words = findings(path)
            #expect(words.count == 1 && words[0].hasPrefix("cannot open storage \(path): the packs that the database names are in another directory"))
        }
        #expect(try Directory.names(empty) == [] && !File.exists(absent))
        // Nor does a directory do where they are in a bucket.
        try configuration.database.connect().execute("UPDATE storage SET id = 'bucket'")
        #expect(findings(configuration.storagePath).first?.contains("are in a bucket") == true)
    }

    @Test("is the same for a backup", .databaseIsAFile)
    func backup() throws {
        let target = fixture.directory.file("backup")
        _ = try Backup(fixture.context.configuration, fixture.context.catalog, store, log: log).run(to: target) { _ in }
        #expect(try LocalChunkStore(path: target + "/storage", forServing: false, log: log).id == store.id)
    }
}
