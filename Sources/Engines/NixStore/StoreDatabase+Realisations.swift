import Encoding
import Nix
import SQL

/// Realisations in Nix's database: tables that are there only where its feature `ca-derivations` was on
/// (nix/src/libstore/ca-specific-schema.sql). Up to 2.34 they go by the derivation's hash, from 2.35 on by its path, in a
/// table of its own; a store may have both.
extension StoreDatabase {
    package func realisations(of paths: [StorePath]) throws(NixStoreError) -> [Realisation] {
        if paths.isEmpty { return [] }
        let rows = try reading { connection throws(SQLError) in
            let tables = Set(try connection.query(Self.selectTables) { row throws(SQLError) in try row.text(0) })
            var rows: [RealisationRow] = []
            if tables.contains("Realisations") {
                rows += try connection.query(Self.selectByHash, [.text(self.names(paths))], RealisationRow.init)
            }
            if tables.contains("BuildTraceV3") {
                rows += try connection.query(Self.selectByDerivation, [.text(self.names(paths))], RealisationRow.init)
            }
            return rows
        }
        return realisations(rows)
    }

    private static let selectTables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('Realisations', 'BuildTraceV3')"

    /// `$1` is a JSON array of full paths. Nix notes realisations of other outputs as well, which nobody looks for: their
    /// derivation tells their path. What a realisation depends on comes with it, one row for each dependency.
    private static let selectByHash = """
        WITH RECURSIVE wanted (id) AS (
            SELECT r.id FROM Realisations r JOIN ValidPaths p ON p.id = r.outputPath
            WHERE p.path IN (SELECT value FROM json_each($1)) AND p.ca != ''
            UNION SELECT f.realisationReference FROM RealisationsRefs f JOIN wanted ON f.referrer = wanted.id
        )
        SELECT r.drvPath, r.outputName, p.path, r.signatures, d.drvPath, d.outputName, dp.path FROM wanted
        JOIN Realisations r ON r.id = wanted.id JOIN ValidPaths p ON p.id = r.outputPath
        LEFT JOIN RealisationsRefs f ON f.referrer = r.id
        LEFT JOIN Realisations d ON d.id = f.realisationReference LEFT JOIN ValidPaths dp ON dp.id = d.outputPath
        ORDER BY r.id
        """

    private static let selectByDerivation = """
        SELECT r.drvPath, r.outputName, p.path, r.signatures, NULL, NULL, NULL FROM BuildTraceV3 r JOIN ValidPaths p ON p.path = r.outputPath
        WHERE p.path IN (SELECT value FROM json_each($1)) AND p.ca != '' ORDER BY r.id
        """

    private struct RealisationRow: Sendable {
        let derivation: String
        let output: String
        let outputPath: String
        let signatures: String
        let dependency: (derivation: String, output: String, outputPath: String)?

        init(_ row: borrowing SQLRow) throws(SQLError) {
            derivation = try row.text(0)
            output = try row.text(1)
            outputPath = try row.text(2)
            signatures = try row.optionalText(3) ?? ""
            if let derivation = try row.optionalText(4), let output = try row.optionalText(5), let path = try row.optionalText(6) {
                dependency = (derivation, output, path)
            } else {
                dependency = nil
            }
        }
    }

    /// What the rows mean. Those of a form that is not known are passed over: the tables belong to an experiment.
    private func realisations(_ rows: [RealisationRow]) -> [Realisation] {
        var places: [RealisationID: Int] = [:]
        var found: [(id: RealisationID, outputPath: StorePath, signatures: [String], dependencies: [RealisationID: StorePath])] = []
        for row in rows {
            guard let id = Self.id(row.derivation, row.output), let path = try? storePath(row.outputPath, of: row.outputPath) else {
                continue
            }
            let place = places[id] ?? found.count
            if place == found.count {
                places[id] = place
                let signatures = row.signatures.split(separator: " ").map(String.init).filter(Realisation.isSignature)
                found.append((id, path, signatures, [:]))
            }
            if let other = row.dependency, let otherID = Self.id(other.derivation, other.output) {
                found[place].dependencies[otherID] = try? storePath(other.outputPath, of: other.outputPath)
            }
        }
        return found.map { item in
            Realisation(
                id: item.id, outputPath: item.outputPath,
                dependencies: item.dependencies.map { Realisation.Dependency(id: $0.key, outputPath: $0.value) },
                signatures: item.signatures)
        }
    }

    /// The derivation is `sha256:HEX` in one table, and a base name in the other.
    private static func id(_ derivation: String, _ output: String) -> RealisationID? {
        if let id = try? RealisationID(parsing: "\(derivation)!\(output)") { return id }
        guard let path = try? StorePath(baseName: derivation), path.isDerivation, StorePath.isName(output) else { return nil }
        return .derivation(path, output: output)
    }
}
