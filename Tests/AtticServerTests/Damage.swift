import Database
import Platform
import SQL
import Storage
import Testing

@testable import AtticServer

/// A fault that is planted into a server, and what a check makes of it.
struct Damage: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Which findings there must be; there may be more, of what follows from it.
    let kinds: Set<Finding.Kind>
    let after: CheckReport.Outcome
    /// Whether it shows only when contents are read.
    let isHidden: Bool
    /// Whether only packs that are files can have it.
    let isOfFiles: Bool
    let plant: @Sendable (Fixture) throws -> Void

    init(
        _ description: String, _ kinds: Set<Finding.Kind>, after: CheckReport.Outcome = .repaired, isHidden: Bool = false,
        isOfFiles: Bool = false, plant: @escaping @Sendable (Fixture) throws -> Void
    ) {
        testDescription = description
        self.kinds = kinds
        self.after = after
        self.isHidden = isHidden
        self.isOfFiles = isOfFiles
        self.plant = plant
    }

    /// One that is planted by hand into the rows.
    static func rows(
        _ description: String, _ kinds: Set<Finding.Kind>, after: CheckReport.Outcome = .repaired, isHidden: Bool = false,
        _ statements: String...
    ) -> Damage {
        Damage(description, kinds, after: after, isHidden: isHidden) { try $0.plant(statements) }
    }

    /// The server has the NARs 1 ("tool", many chunks) and 2 ("other"), their objects 1 and 2, in packs of 100 KB.
    static let all: [Damage] = (rowDamage + narDamage + placeDamage + fileDamage + contentDamage)
        .filter { TestStorage.wanted == .directory || !$0.isOfFiles }

    static let rowDamage: [Damage] = [
        .rows("an object without its NAR", [.danglingRows], "UPDATE object SET nar_id = 999 WHERE id = 1"),
        .rows("an object without its cache", [.danglingRows], "UPDATE object SET cache_id = 999 WHERE id = 1"),
        .rows(
            "a reference of no object", [.danglingRows],
            "INSERT INTO object_reference VALUES (999, '00000000000000000000000000000000', 1)"),
        .rows("a hold of no upload", [.danglingRows], "INSERT INTO upload_hold VALUES (999, 1, NULL)"),
        .rows(
            "a hold of no chunk, and one of no NAR", [.danglingRows],
            "INSERT INTO upload (id, expires_at) VALUES (7, 9000000000000)", "INSERT INTO upload_hold VALUES (7, 999, NULL)",
            "INSERT INTO upload_hold VALUES (7, NULL, 999)", "UPDATE upload SET expires_at = 9000000000001 WHERE id = 7"),
        .rows("a candidate that is no chunk", [.danglingRows], "INSERT INTO chunk_candidate VALUES (999)"),
        .rows("a candidate that is no pack", [.danglingRows], "INSERT INTO pack_candidate VALUES (999)"),
        .rows("a dead extent of no pack", [.danglingRows], "INSERT INTO dead_extent VALUES (5, 999, 0, 100, 0)"),
        .rows("a listing of no NAR", [.danglingRows], "INSERT INTO nar_listing VALUES (999, x'', 0, 'none')"),
        .rows("a pushed file of no NAR", [.danglingRows], "INSERT INTO received_file VALUES (1, x'00', 1, 'xz', 5, 999, 0, NULL)"),
        .rows("a build log of no cache", [.danglingRows], "INSERT INTO build_log VALUES (1, 999, 'a.drv', 0, 0, 0)"),
        .rows("a build log without its body", [.buildLog], "INSERT INTO build_log VALUES (1, 1, 'a.drv', 0, 0, 0)"),
        .rows(
            "a build log that cannot be read", [.buildLog], isHidden: true,
            "INSERT INTO build_log VALUES (1, 1, 'a.drv', 5, 0, 0)", "INSERT INTO build_log_body VALUES (1, x'00112233')"),
        .rows("a body of no build log", [.danglingRows], "INSERT INTO build_log_body VALUES (999, x'00')"),
        .rows("a realisation of no cache", [.danglingRows], "INSERT INTO realisation VALUES (1, 999, 'a', 'b', '{}', 0)"),
        .rows("a candidate that is no realisation", [.danglingRows], "INSERT INTO realisation_candidate VALUES (999)"),
        .rows(
            "an object under another path's hash", [.object],
            "UPDATE object SET store_path_hash = '00000000000000000000000000000000' WHERE id = 1"),
        .rows("an object whose references were lost", [.objectReferences], "DELETE FROM object_reference WHERE object_id = 2"),
        .rows(
            "an object with a reference too many", [.objectReferences],
            "INSERT INTO object_reference VALUES (1, '00000000000000000000000000000000', 1)"),
        .rows("references in another cache", [.objectReferences], "UPDATE object_reference SET cache_id = 5"),
        .rows("a NAR that nothing keeps", [.unreachable], "DELETE FROM object WHERE id = 2"),
        .rows(
            "a chunk that nothing keeps", [.unreachable, .narReferences], after: .damaged,
            "DELETE FROM chunk_reference WHERE nar_id = 1 AND position = 0"),
        .rows(
            "a pack in which nothing is", [.unreachable],
            "INSERT INTO pack VALUES (99, 'abababababababababababababababab', 10, 1)"),
        .rows("a lease that ended long ago", [.expiredLease], "INSERT INTO upload (expires_at) VALUES (1)"),
    ]

    static let narDamage: [Damage] = [
        .rows("a NAR of another size", [.narSizes], "UPDATE nar SET nar_size = nar_size + 1 WHERE id = 1"),
        .rows("a stored file of another size", [.narSizes], "UPDATE nar SET file_size = file_size - 1 WHERE id = 1"),
        .rows("a NAR in another compression", [.narSizes], "UPDATE nar SET compression = 'none' WHERE id = 1"),
        .rows("a NAR of another number of chunks", [.narReferences], "UPDATE nar SET chunk_count = 77 WHERE id = 1"),
        .rows("references with a gap before them", [.narReferences], "UPDATE chunk_reference SET position = position + 100 WHERE nar_id = 1"),
        .rows(
            "a NAR without its last reference", [.narReferences], after: .damaged,
            "DELETE FROM chunk_reference WHERE nar_id = 1 AND position = (SELECT max(position) FROM chunk_reference WHERE nar_id = 1)"),
        .rows("a chunk of another size", [.narSizes], "UPDATE chunk SET byte_count = byte_count + 3 WHERE id = 2"),
        .rows("a mark on a whole chunk only", [.narUnmarked], "UPDATE chunk SET is_damaged = 1 WHERE id = 2"),
        .rows("a mark on a whole NAR", [.narDamaged], "UPDATE nar SET is_damaged = 1 WHERE id = 1"),
        .rows("references to no chunk", [.danglingRows], after: .damaged, "DELETE FROM chunk WHERE id = 2"),
        .rows("references of no NAR", [.danglingRows], "DELETE FROM nar WHERE id = 1"),
    ]

    static let placeDamage: [Damage] = [
        .rows("a chunk in no pack", [.danglingRows], after: .damaged, "UPDATE chunk SET pack_id = 999 WHERE id = 2"),
        .rows("a chunk before its pack", [.chunkPlace], after: .damaged, "UPDATE chunk SET pack_offset = -5 WHERE id = 2"),
        .rows("a chunk of no bytes", [.chunkPlace], after: .damaged, "UPDATE chunk SET stored_byte_count = 0 WHERE id = 2"),
        .rows("a chunk behind its pack", [.packShort], after: .damaged, "UPDATE chunk SET pack_offset = 10000000 WHERE id = 2"),
        .rows(
            "a chunk in another's bytes", [.extentsOverlap], after: .damaged,
            """
            UPDATE chunk SET pack_id = (SELECT pack_id FROM chunk WHERE id = 1),
            pack_offset = (SELECT pack_offset + 10 FROM chunk WHERE id = 1) WHERE id = 2
            """),
        .rows(
            "a whole chunk in bytes that are noted as dead", [.chunkInDeadExtent],
            "INSERT INTO dead_extent SELECT 5, pack_id, pack_offset, stored_byte_count, 0 FROM chunk WHERE id = 2"),
        Damage("a chunk in bytes that were given back", [.chunkInDeadExtent], after: .damaged, isOfFiles: true) { fixture in
            try fixture.plant([
                "INSERT INTO dead_extent SELECT 5, pack_id, pack_offset, 5, 0 FROM chunk WHERE id = 2"
            ])
            let place = try fixture.place(ofChunk: 2)
            try fixture.store.punch([Extent(pack: place.pack, offset: place.offset, byteCount: 4)])
        },
        .rows(
            "a dead extent before its pack", [.chunkPlace],
            "INSERT INTO dead_extent SELECT 5, pack_id, -7, 5, 0 FROM chunk WHERE id = 2"),
        .rows("a pack whose row says less", [.packRow], "UPDATE pack SET byte_count = 1 WHERE id = 1"),
    ]

    static let fileDamage: [Damage] = [
        Damage("a pack that is gone", [.packMissing, .narDamaged], after: .damaged) { fixture in
            _ = try fixture.store.removePack(fixture.place(ofChunk: 2).pack) { true }
        },
        Damage("a pack that was cut", [.packShort, .narDamaged], after: .damaged) { fixture in
            let place = try fixture.place(ofChunk: 2)
            try fixture.cut(place.pack, to: place.offset + place.byteCount - 1)
        },
        Damage("bytes behind a pack", [.packTail], isOfFiles: true) { fixture in
            let pack = try fixture.place(ofChunk: 2).pack
            try fixture.replace(pack, with: fixture.bytes(of: pack) + [1, 2, 3])
        },
        Damage("a pack that no row names", [.unnamedFile]) { fixture in
            let name = String(repeating: "ab", count: 16)
            _ = try fixture.leave(fixture.store.packKind == .file ? "packs/ab/\(name).pack" : "packs/\(name)", [1, 2, 3])
        },
        Damage("the rest of a write", [.temporaryFile], isOfFiles: true) { fixture in _ = try fixture.leave("VERSION.new-17") },
    ]

    static let contentDamage: [Damage] = [
        Damage("a chunk with other bytes", [.chunkContent], after: .damaged, isHidden: true) { fixture in
            let place = try fixture.place(ofChunk: 2)
            try fixture.overwrite(place.pack, at: place.offset + 30, with: [UInt8](repeating: 0x55, count: 20))
        },
        .rows("another file hash", [.fileHash], isHidden: true, "UPDATE nar SET file_hash = nar_hash WHERE id = 1"),
        .rows(
            "a NAR of other chunks", [.narContent], after: .damaged, isHidden: true,
            "UPDATE chunk_reference SET position = position + 1000 WHERE nar_id = 1 AND position IN (1, 2)",
            "UPDATE chunk_reference SET position = 2 WHERE nar_id = 1 AND position = 1001",
            "UPDATE chunk_reference SET position = 1 WHERE nar_id = 1 AND position = 1002"),
        .rows("a listing that cannot be read", [.listing], isHidden: true, "UPDATE nar_listing SET listing = x'00' WHERE nar_id = 1"),
    ]
}

extension Fixture {
    /// Runs statements with foreign keys off, as only a hand does.
    func plant(_ statements: [String]) throws {
        let connection = try context.configuration.database.connect()
        let isFile = context.configuration.database.path != nil
        try connection.runScript(isFile ? "PRAGMA foreign_keys = OFF" : "SET session_replication_role = replica")
        for statement in statements {
            let count = try connection.execute(isFile ? statement : statement.replacing(/x'([0-9a-f]*)'/) { "'\\x\($0.1)'" })
            #expect(count > 0, "planted nothing: \(statement)")
        }
    }

    func place(ofChunk id: Int64) throws -> (pack: PackName, offset: Int64, byteCount: Int64) {
        let found = try context.catalog.read { session throws(DatabaseError) in try session.findChunk(id) }
        let chunk = try #require(found)
        return (try #require(PackName(chunk.place.pack)), chunk.place.offset, chunk.place.byteCount)
    }

    /// Checks; `tell` is given each finding.
    func check(
        repairs: Bool = false, contents: Bool = false, from first: Int64 = 0, tell: @escaping (Finding) -> Void = { _ in },
        goesOn: @escaping () -> Bool = { true }
    ) throws -> CheckReport {
        var options = CheckOptions(now: context.time.now())
        options.repairs = repairs
        options.verifiesContent = contents
        options.firstNarID = first
        return try Checker(context.catalog, store, options, tell: tell, goesOn: goesOn).run()
    }
}
