import Platform
import Support

/// A database in a file. What a crash leaves of it is all of it: so rows are there whose bytes are not, if ever that can be.
final class SQLiteFile: SimulatedDatabase {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    var settings: String { "url = \"sqlite://\(directory.path)/server.db\"" }

    func prepare() {}

    func crashed() throws -> any SimulatedDatabase {
        let other = try SQLiteFile()
        for name in ["server.db", "server.db-wal"] where File.exists(directory.file(name)) {
            try other.directory.write(name, LocalDirectory.bytes(directory.file(name)))
        }
        return other
    }
}
