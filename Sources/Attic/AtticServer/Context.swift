import AtticAPI
import Database
import HTTP
import HTTPServer
import Logging
import Platform
import Storage

/// What every handler works with: built once by the daemon, shared and immutable.
package final class Context: Sendable {
    package let configuration: Configuration
    package let catalog: Catalog
    package let store: any ChunkStore
    package let visitors: HotVisitors
    package let hot: HotAnswers
    package let keys = HotKeys()
    package let signatures = HotSignatures()
    package let accessTimes: AccessTimes
    package let press: Press
    let listings: Listings
    package let largeWindows = LargeWindows(count: Bounds.largeWindowsMax)
    /// The memory that NARs are cut in.
    package let chunkBlocks: ByteBlockPool
    /// What collections give back, and who must not be sent it.
    package let bytesToFree = BytesToFree()
    package let health = Health()
    /// Until when `hot` and the revocations in `visitors` may be believed.
    package let freshness: Freshness
    private let revocationReading = SharedReading()
    package let time: TimeSource
    package let log: Logger
    let troubles = TroubleLog()

    package init(
        configuration: Configuration, catalog: Catalog, store: any ChunkStore, access: Access,
        hot: HotAnswers = HotAnswers(), freshness: Freshness = Freshness(), accessTimes: AccessTimes, press: Press, time: TimeSource, log: Logger
    ) {
        self.configuration = configuration
        self.catalog = catalog
        self.store = store
        visitors = HotVisitors(access)
        self.hot = hot
        self.freshness = freshness
        self.accessTimes = accessTimes
        self.press = press
        listings = Listings(catalog: catalog, store: store)
        chunkBlocks = Cutter.blocks(for: configuration.chunking)
        self.time = time
        self.log = log
    }

    /// Reads from the database which tokens are revoked; from then on they are refused.
    package func readRevocations() throws(DatabaseError) { try readRevocations(since: .now) }

    /// As `readRevocations`, where nobody has looked for a while and the request has a token.
    func requireFreshRevocations(for head: RequestHead) throws(DatabaseError) {
        let now = MonotonicTime.now
        if freshness.ofRevocations(at: now) || head.header("Authorization") == nil { return }
        // What another reads who came a little earlier is as good as what was known before.
        try readRevocations(since: now + (.zero - freshness.time))
    }

    private func readRevocations(since moment: MonotonicTime) throws(DatabaseError) {
        try revocationReading.finish(since: moment) { () throws(DatabaseError) in
            let (records, begun) = try catalog.read { session throws(DatabaseError) in
                // Not before: a connection to read with may have been waited for.
                let begun = MonotonicTime.now
                return (try session.revocations(), begun)
            }
            visitors.take(Revocations(records))
            freshness.readRevocations(at: begun)
            return begun
        }
    }
}

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

    /// The request's whole body, of a JSON document at most `byteCountMax` long. What it asks for is still allowed to the visitor when
    /// it is there.
    func body(byteCountMax: Int) throws -> [UInt8] {
        let bytes = try request.body.readAll(byteCountMax: byteCountMax)
        try visitor.requireStanding()
        return bytes
    }
}

