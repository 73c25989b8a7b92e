import Crypto
import Platform
import SQL
import Storage
import Testing

@testable import AtticServer
@testable import Database

@Suite("What counts as a lost NAR")
struct LossTests {
    let fixture: Fixture
    let hash: SHA256Digest

    init() throws {
        fixture = try Fixture()
        let path = try TestPath("tool", seeds: [1], byteCount: 100_000)
        #expect(try fixture.push(path, to: fixture.makeCache("hello")).status == .ok)
        hash = SHA256.digest(of: path.nar)
    }

    private func nar() throws -> NarRecord {
        let hash = hash
        return try #require(try fixture.context.catalog.read { session throws(DatabaseError) in try session.findNar(hash) })
    }

    @Test("an error that says nothing of the stored bytes marks nothing")
    func unrelated() throws {
        let nar = try nar()
        let errors: [any Error] = [
            DatabaseError(.busy, "", "", ""), DatabaseError(.closed, "", "", ""), DatabaseError(.diskTrouble, "", "", ""), Errno.inputOutput,
            StorageError(SystemError("read", "a pack", .inputOutput)), Problem.busy(retryAfterSeconds: 1), Problem.storageTrouble,
        ]
        for error in errors {
            #expect(!GetNar.isLoss(error))
            try GetNar.note(error, on: nar, fixture.context)
            #expect(try !self.nar().isDamaged, "\(error)")
        }
        try GetNar.note(Problem.incompleteNar, on: nar, fixture.context)
        #expect(try self.nar().isDamaged && GetNar.isLoss(Problem.incompleteNar))
    }

    @Test("what was seen of bytes that have been replaced since does not mark those that took their place")
    func repaired() throws {
        let old = try nar()
        let other = SHA256.digest(of: [1])
        try fixture.context.catalog.write { session throws(DatabaseError) in
            try session.trying("store it anew") { connection throws(SQLError) in
                _ = try connection.execute("UPDATE nar SET file_hash = $1", [.digest(other)])
            }
        }
        try GetNar.note(Problem.incompleteNar, on: old, fixture.context)
        #expect(try !nar().isDamaged)
    }
}
