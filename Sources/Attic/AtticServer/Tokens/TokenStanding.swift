import AtticAPI
import HTTPServer
import Platform
import Synchronization

/// Which tokens are revoked, for everyone who must know now and not only when a request begins. Thread: any.
final class RevocationList: Sendable {
    private let revocations = Monitor(Revocations())
    /// Moves after each change.
    private let changes = Atomic<Int>(0)

    /// Tells whether anything was changed since it was last asked for.
    var generation: Int { changes.load(ordering: .acquiring) }

    /// Takes the revocations that hold from now on; false where they are those that held before.
    func take(_ new: Revocations) -> Bool {
        let isNew = revocations.withLock { held in
            guard held != new else { return false }
            held = new
            return true
        }
        if isNew { changes.add(1, ordering: .acquiringAndReleasing) }
        return isNew
    }

    func refuses(_ token: Token) -> Bool { revocations.withLock { $0.refuse(token) } }
}

/// A token that was found good, and whether it has been revoked since: uploads and answers that take long rest on it to their end.
/// One that expires meanwhile still stands: what was begun in time may end. Thread: any.
final class TokenStanding: Permit {
    private let token: Token
    private let list: RevocationList
    /// The list's generation when the token was last known to be good.
    private let goodAt: Atomic<Int>

    /// - Parameter generation: the list's, before the token was looked up in it.
    init(_ token: Token, _ list: RevocationList, goodAt generation: Int) {
        self.token = token
        self.list = list
        goodAt = Atomic(generation)
    }

    var holds: Bool {
        let generation = list.generation
        if goodAt.load(ordering: .relaxed) == generation { return true }
        if list.refuses(token) { return false }
        goodAt.store(generation, ordering: .relaxed)
        return true
    }
}
