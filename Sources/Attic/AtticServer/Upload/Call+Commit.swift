import AtticAPI
import Database
import Platform

extension Call {
    /// Ends an upload: commits it, and settles what becomes of its bytes and its lease.
    ///
    /// - Parameter pipeline: who stored the bytes; nil where none were sent. After an error it is done with as well; the lease
    ///   is not.
    func commit(
        _ paths: [Commit.Path], into cache: CacheName, packs: [PackState] = [], storedBy pipeline: UploadPipeline?,
        lease: UploadLease
    ) throws {
        // Pushed when it is done: one that took longer than its cache keeps things is not old.
        let now = context.time.now()
        let paths = paths.map { path in
            var path = path
            path.object.at = now
            return path
        }
        try commit(Commit(uploadID: lease.id, packs: packs, paths: paths, at: now), into: cache, pipeline, lease)
    }

    /// The same of a NAR's file that came by itself.
    func commit(
        _ file: Commit.File, into cache: CacheName, packs: [PackState], storedBy pipeline: UploadPipeline,
        lease: UploadLease
    ) throws {
        try commit(Commit(uploadID: lease.id, packs: packs, file: file), into: cache, pipeline, lease)
    }

    private func commit(
        _ commit: Commit, into cache: CacheName, _ pipeline: UploadPipeline?, _ lease: UploadLease
    ) throws {
        do { try write(commit, into: cache) } catch let problem as Problem {
            // Decided by the database, nothing was written: the bytes go.
            pipeline?.abandon()
            throw problem
        } catch let error as DatabaseError where error.leavesNothingWritten {
            // A full disk above all, where every byte that stays makes it worse.
            pipeline?.abandon()
            throw error
        } catch {
            pipeline?.leave()
            throw error
        }
        Faults.pass(.committed)
        lease.forget()
        pipeline?.keep()
        Faults.pass(.bytesKept)
    }

    private func write(_ commit: Commit, into cache: CacheName) throws {
        try visitor.requireStanding()
        let outcome = try context.catalog.write { session throws(DatabaseError) in
            try session.commitUpload(commit)
        }
        switch outcome {
        case .committed(let committed):
            forget(commit.paths, committed, of: cache)
        // The lease ended before the upload did, and a collection came between: the same push works when sent again.
        case .vanished, .narVanished, .packVanished: throw Problem.busy(retryAfterSeconds: 1)
        // The cache was destroyed while its path was on the way.
        case .noSuchCache: throw Problem.noSuchCache
        }
    }

    /// Has the loops forget what they knew of paths that were committed anew.
    private func forget(_ paths: [Commit.Path], _ committed: [Committed], of cache: CacheName) {
        // Other NARs lie elsewhere now, or one has other stored bytes: in every cache that has them.
        if committed.contains(where: { $0.hasMovedChunks || $0.isRewritten }) { context.hot.forgetAll() }
        for (path, result) in zip(paths, committed) {
            guard let objectID = result.objectID else { continue }
            context.hot.forget(narInfo: "/\(cache)/\(path.object.storePathHash).narinfo", objectID: objectID)
        }
    }
}
