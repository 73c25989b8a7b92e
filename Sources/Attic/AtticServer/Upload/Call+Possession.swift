import AtticAPI
import Database

extension Call {
    /// Whether the visitor has yet to show that it has the bytes of a NAR that is here: knowing a hash gives no right to what
    /// it stands for, being allowed to pull it from some cache does.
    func needsProof(of nar: NarRecord) throws -> Bool {
        guard context.configuration.requireProofOfPossession else { return false }
        let holders = try context.catalog.read { session throws(DatabaseError) in try session.cachesHolding(nar.id) }
        return !holders.contains { visitor.permissions(on: $0.name, isPublic: $0.isPublic).contains(.pull) }
    }
}
