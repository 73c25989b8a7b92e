import AtticAPI
import Database
import HTTP
import HTTPServer
import Nix

/// `POST /_api/v1/get-missing-paths`: which of these store paths the cache does not have, each once.
enum FindMissingPaths {
    static func respond(_ call: Call) throws -> Response {
        try call.visitor.requirePush()
        let asked = try MissingPathsRequest(json: call.body(byteCountMax: Bounds.missingPathsBytesMax))
        let cache = try call.enter(asked.cache, needing: .push)
        var missing = try find(asked, in: cache, call)
        // Whoever asks is about to push what refers to the paths that are here: they count as used now, written at
        // once and not with the gathered reads, so that a collection between this answer and the push spares them.
        let isCollectedByAge = (cache.retentionSeconds ?? call.context.configuration.defaultRetentionSeconds) > 0
        if isCollectedByAge, missing.count < asked.storePathHashes.count {
            let absent = Set(missing)
            let present = asked.storePathHashes.filter { !absent.contains($0) }
            try call.context.catalog.noteAccesses(cache.id, present, at: call.now)
            // A collection that was at them when they were looked for may have waited no longer than the note did.
            missing = try find(asked, in: cache, call)
        }
        // A client may send what it is told, one by one: a path that was named twice is told once.
        var told: Set<StorePathHash> = []
        return Response(.ok, headers: [("Content-Type", "application/json")],
            body: .bytes(MissingPathsResponse(missingPaths: missing.filter { told.insert($0).inserted }).json()))
    }

    private static func find(_ asked: MissingPathsRequest, in cache: CacheRecord, _ call: Call) throws -> [StorePathHash] {
        try call.context.catalog.read { session throws(DatabaseError) in try session.missing(cache.id, asked.storePathHashes) }
    }
}
