import Crypto
import Encoding
import Nix
import NixStore
import SQL
import Support
import Testing

/// Databases as Nix makes them, without Nix; a real one is read by an end-to-end test.
@Suite("Realisations of a local store")
struct RealisationTests {
    private let directory: TemporaryDirectory
    private let reader: StoreDatabase
    private let connection: SQLiteConnection
    private let signature = "a-1:\(Base64.encode([UInt8](repeating: 0, count: 64)))"

    private static func path(_ number: Int) throws -> StorePath {
        try StorePath(baseName: String(repeating: "0", count: 31) + "\(number)-p\(number)")
    }

    /// Paths 1 to 4; 4 is not content-addressed.
    init() throws {
        directory = try TemporaryDirectory()
        connection = try SQLiteConnection(path: directory.file("db.sqlite"), access: .create)
        try connection.runScript(
            """
            PRAGMA journal_mode = WAL;
            CREATE TABLE ValidPaths (id integer primary key autoincrement not null, path text unique not null, hash text not null,
                registrationTime integer not null, deriver text, narSize integer, ultimate integer, sigs text, ca text);
            CREATE TABLE Refs (referrer integer not null, reference integer not null, primary key (referrer, reference));
            """)
        for number in 1...4 {
            try connection.execute(
                "INSERT INTO ValidPaths (path, hash, registrationTime, narSize, ca) VALUES ($1, 'x', 1, 100, $2)",
                [.text(try Self.path(number).absolute()), number == 4 ? .null : .text("fixed:r:sha256:x")])
        }
        reader = try StoreDatabase(path: directory.file("db.sqlite"))
    }

    private func hash(_ number: Int) -> String { "sha256:\(String(repeating: "0", count: 63))\(number)" }

    private func realisations(_ numbers: Int...) throws -> [Realisation] {
        try reader.realisations(of: try numbers.map { try Self.path($0) }).sorted { $0.id < $1.id }
    }

    @Test("are none where Nix has no such table")
    func none() throws {
        #expect(try realisations(1, 2).isEmpty)
        #expect(try realisations().isEmpty)
    }

    @Test("of Nix to 2.34 come with what they depend on, each once")
    func byHash() throws {
        try connection.runScript(
            """
            CREATE TABLE Realisations (id integer primary key autoincrement not null, drvPath text not null, outputName text not null,
                outputPath integer not null, signatures text);
            CREATE TABLE RealisationsRefs (referrer integer not null, realisationReference integer);
            """)
        // 1 needs 2 and 4, and 2 itself; 3 is another derivation's output as well.
        for (path, output) in [(1, "out"), (2, "dev"), (3, "out"), (4, "out"), (3, "lib")] {
            try connection.execute(
                "INSERT INTO Realisations (drvPath, outputName, outputPath, signatures) VALUES ($1, $2, $3, $4)",
                [.text(hash(path)), .text(output), .integer(Int64(path)), .text(path == 1 ? "\(signature) nonsense" : "")])
        }
        try connection.runScript("INSERT INTO RealisationsRefs VALUES (1, 2), (1, 4), (2, 2)")
        func id(_ number: Int, _ output: String) throws -> RealisationID { try RealisationID(parsing: "\(hash(number))!\(output)") }
        let dev = Realisation.Dependency(id: try id(2, "dev"), outputPath: try Self.path(2))
        let four = Realisation.Dependency(id: try id(4, "out"), outputPath: try Self.path(4))
        #expect(try realisations(1) == [
            Realisation(id: id(1, "out"), outputPath: Self.path(1), dependencies: [dev, four], signatures: [signature]),
            Realisation(id: id(2, "dev"), outputPath: Self.path(2), dependencies: [dev]),
            Realisation(id: id(4, "out"), outputPath: Self.path(4)),
        ])
        #expect(try realisations(3).map(\.id) == [id(3, "lib"), id(3, "out")])
        // Its derivation tells its path: nobody looks for how it came to be.
        #expect(try realisations(4).isEmpty)
    }

    @Test("of Nix from 2.35 on go by the derivation's path")
    func byDerivation() throws {
        try connection.runScript(
            """
            CREATE TABLE BuildTraceV3 (id integer primary key autoincrement not null, drvPath text not null, outputName text not null,
                outputPath text not null, signatures text);
            """)
        let drv = try StorePath(baseName: "\(String(repeating: "1", count: 32))-d.drv")
        for (derivation, path) in [(drv.baseName, 2), ("no derivation", 2), (drv.baseName, 3)] {
            try connection.execute(
                "INSERT INTO BuildTraceV3 (drvPath, outputName, outputPath, signatures) VALUES ($1, 'out', $2, NULL)",
                [.text(derivation), .text(try Self.path(path).absolute())])
        }
        #expect(try realisations(1, 2) == [Realisation(id: .derivation(drv, output: "out"), outputPath: Self.path(2))])
    }
}
