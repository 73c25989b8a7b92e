import Platform
import SQL
import Support
import Testing

@testable import Database

@Suite("A database on a disk that fills up")
struct FullDiskTests {
    @Test("the room for the log is taken once there is a log, and the log's length stays as it is")
    func reserved() throws {
        let fixture = try Fixture(.sqlite)
        let catalog = fixture.catalog
        let before = try File.status(fixture.path + "-wal")
        try catalog.reserveLog()
        let after = try File.status(fixture.path + "-wal")
        #expect(after.byteCount == before.byteCount)
        #expect(after.allocatedByteCount >= Catalog.reservedLogBytes)
        #expect(catalog.hasReservedLog.withLock { $0 })
    }

    @Test("the log of a full disk is begun anew, and not again a moment later")
    func restarted() throws {
        let fixture = try Fixture(.sqlite)
        let catalog = fixture.catalog
        func note(_ name: String) throws {
            try catalog.write { session throws(DatabaseError) in try session.revoke(RevocationRecord(.id, name, revokedAt: .now)) }
        }
        func logByteCount() throws -> Int64 { try File.status(fixture.path + "-wal").byteCount }
        try note("a")
        let longest = try logByteCount()
        #expect(catalog.restartsFullLog())
        try note("b")
        #expect(try logByteCount() == longest, "written over what stood at its beginning")
        #expect(!catalog.restartsFullLog())
        let names = try catalog.read { session throws(DatabaseError) in try session.revocations().map(\.name) }
        #expect(names == ["a", "b"])
    }
}
