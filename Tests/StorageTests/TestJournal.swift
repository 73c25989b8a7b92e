import Platform

@testable import Storage

/// A journal in memory.
final class TestJournal: PackJournal {
    private let names = Monitor<Set<PackName>>([])
    var begun: Set<PackName> { names.withLock { $0 } }
    /// What is thrown instead of noting a name.
    let refusal = Monitor<StorageError?>(nil)
    func begin(_ name: PackName) throws {
        if let refusal = refusal.withLock({ $0 }) { throw refusal }
        names.update { _ = $0.insert(name) }
    }
    func renew(_ name: PackName) {}
    func forget(_ name: PackName) { names.update { _ = $0.remove(name) } }
    func namesPacks() throws -> Bool { !begun.isEmpty }
}
