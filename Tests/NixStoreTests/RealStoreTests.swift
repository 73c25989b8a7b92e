import Crypto
import Encoding
import Glibc
import Nix
import NixStore
import Platform
import SQL
import Support
import Testing

/// What Nix itself says of paths, from `nix path-info --json`.
private func infosFromNix(_ nix: ScratchNix, _ arguments: [String]) throws -> [StorePath: PathInfo] {
    let outcome = try Subprocess.run(
        ["nix", "path-info", "--json", "--recursive"] + arguments, environment: nix.environment)
    try #require(outcome.isSuccess, "\(outcome.errorText)")
    var infos: [StorePath: PathInfo] = [:]
    let store = nix.storeDirectory
    for element in try #require(try JSON.parse(outcome.standardOutput).arrayValue) {
        let object = try #require(element.objectValue)
        let path = try StorePath(absolute: try #require(object["path"]?.stringValue), storeDirectory: store)
        infos[path] = PathInfo(
            path: path,
            narHash: try NixHash(parsing: try #require(object["narHash"]?.stringValue)).digest,
            narSize: try #require(object["narSize"]?.integerValue),
            references: try (object["references"]?.arrayValue ?? []).map {
                try StorePath(absolute: $0.stringValue ?? "", storeDirectory: store)
            },
            deriver: try (object["deriver"]?.stringValue).map { try StorePath(absolute: $0, storeDirectory: store) },
            signatures: (object["signatures"]?.arrayValue ?? []).compactMap(\.stringValue),
            ca: object["ca"]?.stringValue)
    }
    return infos
}

/// The reader agrees with Nix about one closure, in every way of asking.
private func check(_ reader: any StoreReader, _ nix: ScratchNix, root: String) throws {
    let expected = try infosFromNix(nix, [root])
    let rootPath = try StorePath(absolute: root, storeDirectory: nix.storeDirectory)
    let closure = try reader.closure(of: [rootPath])
    #expect(closure.count == expected.count)
    #expect(closure.last?.path == rootPath)
    var before: Set<StorePath> = []
    for info in closure {
        #expect(info == expected[info.path])
        // Dependencies first.
        #expect(info.references.allSatisfy { $0 == info.path || before.contains($0) })
        before.insert(info.path)
    }
    let fromNix = try Set(nix.lines("nix-store", "--query", "--requisites", root))
    #expect(Set(closure.map { reader.location(of: $0.path) }) == fromNix)
    #expect(try reader.closure(of: [rootPath, closure[0].path]).map(\.path) == closure.map(\.path))

    let some = [rootPath, closure[0].path, rootPath]
    let infos = try reader.pathInfos(of: some)
    #expect(infos.map(\.path) == some)
    #expect(infos[0] == expected[rootPath])
    #expect(infos[0].references.map { reader.location(of: $0) } == (try nix.lines("nix-store", "--query", "--references", root)).sorted())

    let unknown = try StorePath(baseName: "00000000000000000000000000000000-unknown")
    #expect(try reader.validPaths(among: [unknown, rootPath]) == [rootPath])
    #expect(try reader.pathInfos(of: []).isEmpty)
    #expect(try reader.closure(of: []).isEmpty)
    for ask in [{ _ = try reader.pathInfos(of: $0) }, { _ = try reader.closure(of: $0) }] as [([StorePath]) throws -> Void] {
        do {
            try ask([rootPath, unknown])
            Issue.record("an unknown path was found")
        } catch NixStoreError.notValid(let paths) { #expect(paths == [unknown]) }
    }
    // The reader is as good as before.
    #expect(try reader.closure(of: [rootPath]).count == expected.count)
}

@Suite("A store that Nix made", .enabled(if: ScratchNix.isWanted))
struct RealStore {
    @Test("The database says what Nix says")
    func database() throws {
        let nix = try ScratchNix()
        let root = try nix.buildClosure(count: 14)
        let reader = try LocalStore.open(nix.places)
        #expect(reader is StoreDatabase)
        try check(reader, nix, root: root)
    }

    @Test("Signatures and content addresses come along")
    func signatures() throws {
        let nix = try ScratchNix()
        let root = try nix.buildClosure(count: 3)
        _ = try nix.run("nix-store", "--generate-binary-cache-key", "one-1", nix.directory.file("sk"), nix.directory.file("pk"))
        _ = try nix.run("nix-store", "--generate-binary-cache-key", "two-1", nix.directory.file("sk2"), nix.directory.file("pk2"))
        _ = try nix.run("nix", "store", "sign", "--recursive", "--key-file", nix.directory.file("sk"), root)
        _ = try nix.run("nix", "store", "sign", "--key-file", nix.directory.file("sk2"), root)
        let reader = try LocalStore.open(nix.places)
        let path = try StorePath(absolute: root, storeDirectory: nix.storeDirectory)
        let info = try reader.pathInfos(of: [path])[0]
        #expect(info.signatures.count == 2)
        let key = try PublicKey(parsing: try #require(try File.readText(nix.directory.file("pk"))).trimmed)
        let fingerprint = NarInfo.fingerprint(
            storeDirectory: nix.storeDirectory, storePath: path, narHash: info.narHash, narSize: info.narSize,
            references: info.references.map(\.baseName))
        #expect(info.signatures.contains { key.verifies(signature: $0, message: fingerprint) })
        let added = try reader.closure(of: [path])[0]
        #expect(added.ca?.hasPrefix("fixed:r:sha256:") == true)
        #expect(added.deriver == nil && info.deriver?.isDerivation == true)
        try check(reader, nix, root: root)
    }

    @Test("A dump of each path has the hash and size that Nix recorded")
    func dumps() throws {
        let nix = try ScratchNix()
        let reader = try LocalStore.open(nix.places)
        let root = try StorePath(absolute: try nix.buildClosure(count: 4), storeDirectory: nix.storeDirectory)
        for info in try reader.closure(of: [root]) {
            var hash = SHA256()
            var byteCount: Int64 = 0
            try unsafe NarDump.dump(path: reader.location(of: info.path)) { bytes in
                unsafe hash.update(bytes)
                byteCount += Int64(bytes.count)
            }
            #expect(hash.finish() == info.narHash)
            #expect(byteCount == info.narSize)
        }
    }

    @Test("What was committed to the write-ahead log is seen, also by a connection that was open before")
    func writeAheadLog() throws {
        let nix = try ScratchNix()
        let early = try LocalStore.open(nix.places)
        // Whoever else has the database open keeps Nix from emptying the log when it ends.
        let other = try SQLiteConnection(path: nix.places.database, access: .readOnly)
        _ = try other.query("SELECT count(*) FROM ValidPaths") { row throws(SQLError) in try row.integer(0) }
        let root = try nix.buildClosure(count: 3)
        #expect(try File.status(nix.places.database + "-wal").byteCount > 0)
        try check(early, nix, root: root)
        try check(try StoreDatabase(path: nix.places.database, storeDirectory: nix.storeDirectory), nix, root: root)
    }

    @Test("The daemon says what Nix says, level by level")
    func daemon() throws {
        let nix = try ScratchNix()
        let root = try nix.buildClosure(count: 14)
        try nix.withDaemon {
            let reader = try NixDaemon(socket: nix.places.daemonSocket, storeDirectory: nix.storeDirectory)
            #expect(reader.protocolMinor >= 21)
            try check(reader, nix, root: root)
            // More paths than are asked for ahead.
            let path = try StorePath(absolute: root, storeDirectory: nix.storeDirectory)
            #expect(try reader.pathInfos(of: [StorePath](repeating: path, count: 300)).count == 300)
            var places = nix.places
            places.way = .daemon(socket: nil)
            try check(try LocalStore.open(places), nix, root: root)
            places = try LocalStore.Places(environment: nix.environment, uri: try StoreURI(parsing: "unix://\(nix.places.daemonSocket)"))
            #expect(try LocalStore.open(places) is NixDaemon)
        }
    }

    @Test("What the daemon refuses is told in its words")
    func daemonRefuses() throws {
        let nix = try ScratchNix()
        try nix.withDaemon {
            // Asked for a path of another store, it says so.
            let reader = try NixDaemon(socket: nix.places.daemonSocket, storeDirectory: "/elsewhere/store")
            let path = try StorePath(baseName: "00000000000000000000000000000000-x")
            do throws(NixStoreError) {
                _ = try reader.pathInfos(of: [path])
                Issue.record("it answered")
            } catch {
                guard case .daemon(let message) = error else {
                    Issue.record("\(error)")
                    return
                }
                #expect(message.contains("/elsewhere/store"))
                #expect(message.contains("is not in the Nix store"))
                #expect(!message.contains("\u{1b}"))
            }
        }
    }

    @Test("A daemon that was restarted is connected to again")
    func daemonRestart() throws {
        let nix = try ScratchNix()
        let root = try StorePath(absolute: try nix.buildClosure(count: 2), storeDirectory: nix.storeDirectory)
        let first = try nix.startDaemon()
        var reader: NixDaemon? = try NixDaemon(socket: nix.places.daemonSocket, storeDirectory: nix.storeDirectory)
        #expect(try reader?.closure(of: [root]).count == 3)
        // The process that serves this connection is a child of the daemon, in a session of its own.
        let children = try File.readText("/proc/\(first.processID)/task/\(first.processID)/children") ?? ""
        for child in children.split(separator: " ").compactMap({ Int32($0) }) { _ = kill(child, SIGKILL) }
        first.kill()
        _ = first.wait()
        try nix.withDaemon {
            let closure = try reader?.closure(of: [root])
            #expect(closure?.count == 3)
            reader = nil
        }
    }
}

@Test("A database that is none is an error that names it")
func notADatabase() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write("db.sqlite", text: String(repeating: "this is no database\n", count: 100))
    do throws(NixStoreError) {
        let reader = try StoreDatabase(path: path)
        _ = try reader.pathInfos(of: [])
        Issue.record("it was read")
    } catch {
        guard case .database = error else {
            Issue.record("\(error)")
            return
        }
    }
}

/// A database as Nix makes it, without Nix, with a thousand paths.
@Test("A closure of a thousand paths, and infos of all of them, without a statement for each")
func thousandPaths() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("db.sqlite")
    func name(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 32 - digits.count) + digits + "-p\(number)"
    }
    do {
        let connection = try SQLiteConnection(path: path, access: .create)
        try connection.runScript(
            """
            PRAGMA journal_mode = WAL;
            CREATE TABLE ValidPaths (id integer primary key autoincrement not null, path text unique not null, hash text not null,
                registrationTime integer not null, deriver text, narSize integer, ultimate integer, sigs text, ca text);
            CREATE TABLE Refs (referrer integer not null, reference integer not null, primary key (referrer, reference));
            CREATE INDEX IndexReferrer on Refs(referrer);
            CREATE INDEX IndexReference on Refs(reference);
            BEGIN;
            """)
        let hash = NixHash(SHA256.digest(of: [UInt8]([1]))).typedHex
        for number in 0..<1000 {
            try connection.execute(
                "INSERT INTO ValidPaths (path, hash, registrationTime, narSize, sigs, ca) VALUES ($1, $2, 1, 100, '', NULL)",
                [.text("/nix/store/\(name(number))"), .text(hash)])
            for reference in Set([number, number - 1, number / 2]) where reference >= 0 {
                try connection.execute(
                    "INSERT INTO Refs VALUES ($1, $2)", [.integer(Int64(number + 1)), .integer(Int64(reference + 1))])
            }
        }
        try connection.runScript("COMMIT")
    }
    let reader = try StoreDatabase(path: path)
    let closure = try reader.closure(of: [try StorePath(baseName: name(999))])
    #expect(closure.map(\.path.baseName) == (0..<1000).map(name))
    #expect(closure[999].references.map(\.baseName) == [name(499), name(998), name(999)])
    #expect(closure[0].signatures.isEmpty && closure[0].ca == nil && closure[0].deriver == nil)
    let infos = try reader.pathInfos(of: closure.reversed().map(\.path))
    #expect(infos.reversed() == closure)
}
