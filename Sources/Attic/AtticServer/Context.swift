import AtticAPI
import Database
import HTTP
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
