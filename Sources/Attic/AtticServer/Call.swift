import AtticAPI
import Database
import HTTPServer
import Platform

/// One request on its way through a handler: the shared context, what was asked, and who asks.
package struct Call: Sendable {
    package let context: Context
    package let request: Request
    package let visitor: Visitor
    package let now: WallTime

    /// Finds the cache and lets the visitor in, or says what it may be told.
    func enter(_ name: CacheName, needing needed: Permissions) throws -> CacheRecord {
        // For who has no permission a private cache is not looked up at all: reading its row takes some microseconds longer than finding
        // none, and they can be told apart.
        let isPublicOnly = visitor.permissions(on: name, isPublic: false).isEmpty
        let record = try context.catalog.read { session throws(DatabaseError) in
            try isPublicOnly ? session.findPublicCache(name) : session.findCache(name)
        }
        return try visitor.enter(name, record, needing: needed)
    }

    /// Keeps an answer for the loops, for whoever may pull from the cache.
    ///
    /// - Parameters:
    ///   - path: as ordinary clients write it. A client that escapes characters finds nothing ready, and nothing stale.
    ///   - objectID: of a narinfo, its object.
    ///   - readAt: the generation before the database was read.
    func keepHot(_ response: Response, path: String, of cache: CacheRecord, objectID: Int64? = nil, readAt generation: UInt64) {
        let answer = HotAnswers.Answer(
            path: Array(path.utf8), cache: cache.name, isPublic: cache.isPublic, response: response.prepared(), objectID: objectID)
        context.hot.keep(answer, readAt: generation)
    }

    /// Notes that the visitor is told of these objects, where it may push: then it need not send them, and may push next what refers to
    /// them; no collection is to come between. Written with the gathered pulls.
    func noteUse(of objects: [ObjectRecord], in cache: CacheRecord) {
        guard visitor.permissions(on: cache.name, isPublic: cache.isPublic).contains(.push) else { return }
        context.accessTimes.note(objects.lazy.map(\.id), at: now)
    }

    /// The request's whole body, of a JSON document at most `byteCountMax` long. What it asks for is still allowed to the visitor when
    /// it is there.
    func body(byteCountMax: Int) throws -> [UInt8] {
        let bytes = try request.body.readAll(byteCountMax: byteCountMax)
        try visitor.requireStanding()
        return bytes
    }
}

