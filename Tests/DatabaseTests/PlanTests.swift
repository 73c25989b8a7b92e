import SQL
import Testing

@testable import Database

/// What the hot statements cost does not grow with the store: each finds its rows by an index.
@Suite struct PlanTests {
    @Test("a hot statement scans no table", arguments: [
        CatalogSession.findObjectSQL, CatalogSession.findNarByFileSQL, CatalogSession.extentsSQL,
        CatalogSession.cachesHoldingSQL, CatalogSession.expiredObjectsSQL, ExpiryCondition.unreferenced.deletionSQL,
        ExpiryCondition.unreferencedByLiving.deletionSQL, CatalogSession.deadExtentsSQL,
        CatalogSession.deleteOrphanNarSQL, CatalogSession.deleteOrphanChunkSQL, CatalogSession.findListingSQL, "missing", "settleAccesses", "findChunks",
        CatalogSession.findBuildLogSQL, CatalogSession.expiredBuildLogsSQL, CatalogSession.findRealisationSQL,
        CatalogSession.unkeptRealisationsSQL, CatalogSession.deleteUnkeptRealisationSQL,
        CatalogSession.noteRealisationCandidatesSQL, CatalogSession.buildLogsOfCacheSQL, CatalogSession.purgeRealisationsSQL,
        "DELETE FROM build_log WHERE id = $1", "DELETE FROM realisation WHERE id = $1",
        "findObjects",
        CatalogSession.findReceivedFileSQL, CatalogSession.hasReceivedSQL, CatalogSession.lapsedFilesSQL,
        CatalogSession.deleteUnnamedFileSQL, CatalogSession.formerNarSQL,
        "UPDATE received_file SET held_until = NULL WHERE nar_id = $1 AND cache_id = $2 AND held_until IS NOT NULL",
        CatalogSession.touchObjectsSQL,
        "SELECT nar_id FROM chunk_reference WHERE chunk_id = $1",
        "SELECT id FROM upload WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2",
        "SELECT 1 FROM dead_extent WHERE pack_id = $1 AND pack_offset = $2",
        "SELECT p.name FROM pack p WHERE p.is_sealed = 0 ORDER BY p.name",
        "DELETE FROM chunk WHERE id = $1", "DELETE FROM nar WHERE id = $1", "DELETE FROM object WHERE id = $1",
    ])
    func scansNothing(statement: String) throws {
        let fixture = try Fixture(.sqlite)
        let connection = try SQLiteConnection(path: fixture.path, access: .readWrite)
        let session = CatalogSession(connection, .sqlite)
        let sql = switch statement {
        case "missing": session.missingSQL
        case "settleAccesses": session.settleAccessesSQL
        case "findChunks": session.findChunksSQL
        case "findObjects": session.findObjectsSQL
        default: statement
        }
        let count = (1...9).last { sql.contains("$\($0)") } ?? 0
        let plan = try connection.query(
            "EXPLAIN QUERY PLAN \(sql)", Array(repeating: SQLValue.null, count: count)
        ) { row throws(SQLError) in try row.text(3) }
        #expect(!plan.isEmpty)
        // The list that was handed in, and what was found already, are walked; no table is.
        let walked = [
            "SCAN item", "SCAN place", "SCAN kept", "SCAN k", "SCAN expired", "SCAN e", "SCAN CONSTANT ROW",
            // The few that are open.
            "SCAN p USING INDEX pack_open",
            // Realisations whose output may be gone.
            "SCAN c",
        ]
        let scans = plan.filter { $0.hasPrefix("SCAN") && !walked.contains($0) }
        #expect(scans.isEmpty, "\(plan.joined(separator: "; "))")
        // A range over all objects of a cache is no better than a scan where one path is looked for.
        if !sql.contains("expired") {
            #expect(!plan.contains { $0.contains("object_by_access") }, "\(plan.joined(separator: "; "))")
        }
    }

    @Test func `retention walks the expired, and finds a living referrer by the path`() throws {
        let fixture = try Fixture(.sqlite)
        let connection = try SQLiteConnection(path: fixture.path, access: .readWrite)
        let plan = try connection.query(
            "EXPLAIN QUERY PLAN \(CatalogSession.expiredObjectsSQL)", [1, 2, 3]
        ) { row throws(SQLError) in try row.text(3) }
        #expect(plan.contains { $0.contains("object_by_access (cache_id=? AND last_accessed_at<?)") })
        #expect(plan.contains { $0.contains("SEARCH r USING COVERING INDEX object_reference_by_path (cache_id=? AND store_path_hash=?)") })
        #expect(!plan.contains { $0.contains("last_accessed_at>?") }, "\(plan.joined(separator: "; "))")
    }

    @Test func `asking for many paths looks at one index, and at NARs only where some are damaged`() throws {
        let fixture = try Fixture(.sqlite)
        let connection = try SQLiteConnection(path: fixture.path, access: .readWrite)
        let session = CatalogSession(connection, .sqlite)
        let plan = try connection.query(
            "EXPLAIN QUERY PLAN \(session.missingSQL)", [.blob([]), 1]
        ) { row throws(SQLError) in try row.text(3) }
        #expect(plan.contains { $0.contains("object_by_path (store_path_hash=? AND cache_id=?)") })
        #expect(plan.contains { $0.contains("SEARCH d USING COVERING INDEX nar_damaged") }, "\(plan.joined(separator: "; "))")
        #expect(!plan.contains { $0.contains("SEARCH n USING") && !$0.contains("INTEGER PRIMARY KEY") })
    }
}
