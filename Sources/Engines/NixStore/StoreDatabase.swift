import Crypto
import Encoding
import Nix
import SQL

/// Reads Nix's own database (`/nix/var/nix/db/db.sqlite`; its tables are in nix/src/libstore/schema.sql) beside
/// whatever Nix does to it meanwhile.
///
/// Thread: any. Any number of paths costs a handful of statements: they travel as one JSON array. All statements of one
/// call see the same state of the database, and each call the newest: the file is opened for the call (under a
/// millisecond), because a database that could only be opened as immutable would never show a change.
package final class StoreDatabase: StoreReader {
    package let storeDirectory: String
    package let physicalStoreDirectory: String
    package let logDirectory: String
    private let path: String

    /// Takes the database file, and tries whether it opens.
    ///
    /// - Throws: `.database` where it is not there, or may not be read.
    package init(
        path: String, storeDirectory: String = StorePath.defaultStoreDirectory, physicalStoreDirectory: String? = nil,
        logDirectory: String = LocalStore.defaultLogDirectory
    ) throws(NixStoreError) {
        self.storeDirectory = storeDirectory
        self.physicalStoreDirectory = physicalStoreDirectory ?? storeDirectory
        self.logDirectory = logDirectory
        self.path = path
        do { _ = try SQLiteConnection.openReadOnly(path: path) } catch { throw .database(error) }
    }

    package func pathInfos(of paths: [StorePath]) throws(NixStoreError) -> [PathInfo] {
        let records = try reading { connection throws(SQLError) in
            try Records(of: connection, selected: Self.selectNamed, self.names(paths))
        }
        let infos = try infos(of: records)
        try checkValid(paths, infos)
        return paths.compactMap { infos[$0] }
    }

    package func closure(of paths: [StorePath]) throws(NixStoreError) -> [PathInfo] {
        let records = try reading { connection throws(SQLError) in
            try Records(of: connection, selected: Self.selectClosure, self.names(paths))
        }
        let infos = try infos(of: records)
        try checkValid(paths, infos)
        return ClosureOrder.dependenciesFirst(from: paths, infos)
    }

    package func validPaths(among paths: [StorePath]) throws(NixStoreError) -> [StorePath] {
        let found = try reading { connection throws(SQLError) in
            Set(try connection.query(Self.selectValid, [.text(self.names(paths))]) { row throws(SQLError) in try row.text(0) })
        }
        return paths.filter { found.contains($0.absolute(in: storeDirectory)) }
    }

    // MARK: Statements

    /// `$1` is a JSON array of full paths.
    private static let selectNamed = "SELECT id FROM ValidPaths WHERE path IN (SELECT value FROM json_each($1))"

    /// A union drops what it has had, which ends the recursion.
    private static let selectClosure = """
        WITH RECURSIVE closure(id) AS (
            SELECT id FROM ValidPaths WHERE path IN (SELECT value FROM json_each($1))
            UNION SELECT reference FROM Refs JOIN closure ON referrer = closure.id
        ) SELECT id FROM closure
        """

    private static let selectValid = "SELECT path FROM ValidPaths WHERE path IN (SELECT value FROM json_each($1))"

    func names(_ paths: [StorePath]) -> String {
        JSON.array(paths.map { .string($0.absolute(in: storeDirectory)) }).serialized()
    }

    /// Runs `body` in one transaction, so that its statements see one state.
    func reading<Result>(_ body: (SQLiteConnection) throws(SQLError) -> Result) throws(NixStoreError) -> Result {
        do throws(SQLError) {
            let connection = try SQLiteConnection.openReadOnly(path: path)
            // It ends with the connection.
            try connection.runScript("BEGIN")
            return try body(connection)
        } catch { throw .database(error) }
    }

    private func checkValid(_ paths: [StorePath], _ infos: [StorePath: PathInfo]) throws(NixStoreError) {
        let absent = paths.filter { infos[$0] == nil }
        if !absent.isEmpty { throw .notValid(absent) }
    }
}

// MARK: - Rows and what they mean

extension StoreDatabase {
    /// The rows of one question, as the database has them.
    private struct Records: Sendable {
        struct Path: Sendable {
            let id: Int64
            let path: String
            let hash: String
            let narSize: Int64
            let deriver: String?
            let signatures: String?
            let ca: String?
        }

        let paths: [Path]
        /// Ids of what each path refers to, by the id of the path.
        let references: [Int64: [Int64]]
        /// The full paths of those ids that are not among `paths`.
        let others: [Int64: String]

        /// - Parameter selected: a statement that answers the ids of the paths in question; `$1` is `names`.
        init(of connection: SQLiteConnection, selected: String, _ names: String) throws(SQLError) {
            paths = try connection.query(
                """
                SELECT id, path, hash, narSize, deriver, sigs, ca FROM ValidPaths WHERE id IN (\(selected))
                """, [.text(names)]
            ) { row throws(SQLError) in
                Path(
                    id: try row.integer(0), path: try row.text(1), hash: try row.text(2),
                    narSize: try row.optionalInteger(3) ?? 0, deriver: try row.optionalText(4),
                    signatures: try row.optionalText(5), ca: try row.optionalText(6))
            }
            let ids = Set(paths.map(\.id))
            var references: [Int64: [Int64]] = [:]
            var unknown: Set<Int64> = []
            try connection.run(
                "SELECT referrer, reference FROM Refs WHERE referrer IN (SELECT value FROM json_each($1))",
                [.text(Self.json(ids))]
            ) { row throws(SQLError) in
                let reference = try row.integer(1)
                references[try row.integer(0), default: []].append(reference)
                if !ids.contains(reference) { unknown.insert(reference) }
            }
            self.references = references
            var others: [Int64: String] = [:]
            if !unknown.isEmpty {
                try connection.run(
                    "SELECT id, path FROM ValidPaths WHERE id IN (SELECT value FROM json_each($1))", [.text(Self.json(unknown))]
                ) { row throws(SQLError) in others[try row.integer(0)] = try row.text(1) }
            }
            self.others = others
        }

        private static func json(_ ids: Set<Int64>) -> String { JSON.array(ids.map { .integer($0) }).serialized() }
    }

    private func infos(of records: Records) throws(NixStoreError) -> [StorePath: PathInfo] {
        var infos: [StorePath: PathInfo] = [:]
        infos.reserveCapacity(records.paths.count)
        // A path is referred to many times; its text is checked once.
        var known: [Int64: StorePath] = [:]
        for record in records.paths { known[record.id] = try storePath(record.path, of: record.path) }
        for (id, text) in records.others { known[id] = try storePath(text, of: text) }
        for record in records.paths {
            guard let path = known[record.id] else { continue }
            let references = (records.references[record.id] ?? []).compactMap { known[$0] }
            let hash: SHA256Digest
            do { hash = try NixHash(parsing: record.hash).digest } catch {
                throw .malformed(path: record.path, reason: error.description)
            }
            if record.narSize <= 0 {
                throw .malformed(path: record.path, reason: "its size is not known; nix-store --verify finds it out")
            }
            var deriver: StorePath?
            if let text = record.deriver, !text.isEmpty { deriver = try storePath(text, of: record.path) }
            infos[path] = PathInfo(
                path: path, narHash: hash, narSize: record.narSize, references: references.sorted(), deriver: deriver,
                signatures: (record.signatures ?? "").utf8.split(separator: UInt8(ascii: " ")).map {
                    String(decoding: $0, as: UTF8.self)
                },
                ca: record.ca?.isEmpty == false ? record.ca : nil)
        }
        return infos
    }

    func storePath(_ text: String, of path: String) throws(NixStoreError) -> StorePath {
        do { return try StorePath(absolute: text, storeDirectory: storeDirectory) } catch {
            throw .malformed(path: path, reason: error.description)
        }
    }
}
