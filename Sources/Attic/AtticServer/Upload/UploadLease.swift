import Crypto
import Database
import Platform
import Storage

/// An upload's lease in the database: what it found there (chunks, a NAR) is held until it commits, gives up, or its
/// lease ends. It begins when the first thing is to be held; a push of new bytes only never needs one. A power cut ends the
/// upload anyway, so none of this waits for the disk.
final class UploadLease: Sendable {
    private struct State {
        var id: Int64?
        var renewedAt: WallTime
    }

    private let catalog: Catalog
    private let time: TimeSource
    private let state: Monitor<State>

    init(catalog: Catalog, time: TimeSource) {
        self.catalog = catalog
        self.time = time
        state = Monitor(State(id: nil, renewedAt: time.now()))
    }

    /// The lease's number, nil where it never began.
    var id: Int64? { state.withLock { $0.id } }

    /// Finds chunks and holds them. Thread: press or transfer.
    ///
    /// - Throws: `Problem.busy` where the lease has ended.
    func hold(_ digests: [SHA256Digest], compression: String) throws -> [SHA256Digest: ChunkRecord] {
        try hold { session, id throws(DatabaseError) in try session.holdChunks(id, digests, compression) }
    }

    /// Finds a whole NAR and holds it.
    ///
    /// - Throws: `Problem.busy` where the lease has ended.
    func holdNar(_ hash: SHA256Digest) throws -> NarRecord? {
        try hold { session, id throws(DatabaseError) in try session.holdNar(id, hash) }
    }

    private func hold<Found: Sendable>(
        _ find: @escaping @Sendable (CatalogSession, Int64) throws(DatabaseError) -> Found
    ) throws -> Found {
        let id = try begin()
        do throws(DatabaseError) {
            return try catalog.write(surviving: .crash) { session throws(DatabaseError) in try find(session, id) }
        } catch {
            // A clock that jumped, or a client that slept, and a collection since: what was held may be gone, and the same push
            // works when it is sent again.
            if error.kind == .constraint { throw Problem.busy(retryAfterSeconds: 1) }
            throw error
        }
    }

    /// Renews the lease when it is due; called as the upload makes progress.
    func keepAlive() throws(DatabaseError) {
        let now = time.now()
        let due: Int64? = state.withLock { state in
            guard let id = state.id, now.seconds - state.renewedAt.seconds > Bounds.leaseRenewalSeconds else { return nil }
            state.renewedAt = now
            return id
        }
        guard let id = due else { return }
        let expiry = now + .seconds(Bounds.leaseSeconds)
        try catalog.write(surviving: .crash) { session throws(DatabaseError) in try session.renewUpload(id, expiresAt: expiry) }
    }

    /// Lets go of everything, after a failure. Best effort: what is not let go now ends with the lease.
    func end() {
        guard let id = state.update({ state in
            defer { state.id = nil }
            return state.id
        }) else { return }
        _ = try? catalog.write(surviving: .crash) { session throws(DatabaseError) in try session.endUpload(id) }
    }

    /// The lease was ended by the commit itself.
    func forget() { state.update { $0.id = nil } }

    private func begin() throws(DatabaseError) -> Int64 {
        if let id { return id }
        let now = time.now()
        let expiry = now + .seconds(Bounds.leaseSeconds)
        let fresh = try catalog.write(surviving: .crash) { session throws(DatabaseError) in try session.beginUpload(expiresAt: expiry) }
        // Two jobs of one upload may begin at once: the first lease counts, the other is given back.
        let kept: Int64 = state.update { state in
            if let id = state.id { return id }
            state.id = fresh
            state.renewedAt = now
            return fresh
        }
        if kept != fresh {
            try catalog.write(surviving: .crash) { session throws(DatabaseError) in try session.endUpload(fresh) }
        }
        return kept
    }
}

extension UploadLease {
    /// Finds a NAR that a push may build upon, and holds it; nil where it is unknown or damaged, so that its bytes are taken in
    /// anew.
    func findReusableNar(_ hash: SHA256Digest, in store: any ChunkStore) throws -> NarRecord? {
        // Most pushes bring something new: they never wait for the writer here.
        guard try catalog.read({ session throws(DatabaseError) in try session.findNar(hash) }) != nil,
            let nar = try holdNar(hash)
        else { return nil }
        return try nar.isReusable(in: store, of: catalog) ? nar : nil
    }
}
