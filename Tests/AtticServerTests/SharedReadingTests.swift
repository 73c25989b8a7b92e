import Database
import HTTP
import HTTPServer
import Platform
import Support
import Testing

@testable import AtticServer

@Suite("A reading for all who want the same")
struct SharedReadingTests {
    private static let busy = DatabaseError(.busy, "read", "", "no connection is free")
    private let reading = SharedReading()
    /// How many have read, and whether the first may end.
    private let state = Monitor((reads: 0, isOpen: false))

    /// Reads once somebody says so, and fails then where it is to.
    private func read(failing: Bool) throws(DatabaseError) -> MonotonicTime {
        state.update { $0.reads += 1 }
        state.wait { $0.isOpen ? () : nil }
        if failing { throw Self.busy }
        return .now
    }

    /// Eight threads that want what holds from `moment` on, of which so many wait for one who reads; what each heard.
    private func eight(since moment: @escaping @Sendable () -> MonotonicTime, failing: Bool, waiting: Int = 7) -> [DatabaseError?] {
        let heard = Monitor<[DatabaseError?]>([])
        let threads = (0..<8).map { number in
            ThreadHandle(named: "asker-\(number)") {
                var failure: DatabaseError?
                do throws(DatabaseError) {
                    try reading.finish(since: moment()) { () throws(DatabaseError) in try read(failing: failing) }
                } catch { failure = error }
                heard.update { $0.append(failure) }
            }
        }
        reading.waitUntilShared(by: waiting)
        state.update { $0.isOpen = true }
        for thread in threads { thread.join() }
        return heard.withLock { $0 }
    }

    @Test func `one reads for all who wait meanwhile, and for those who come later and want no more`() throws {
        let begun = MonotonicTime.now
        #expect(eight(since: { begun }, failing: false) == Array(repeating: nil, count: 8))
        #expect(state.withLock { $0.reads } == 1)
        try reading.finish(since: begun) { () throws(DatabaseError) in try read(failing: true) }
        #expect(state.withLock { $0.reads } == 1)
    }

    @Test func `where it fails, it has failed for all who waited, and the next one reads anew`() throws {
        let begun = MonotonicTime.now
        #expect(eight(since: { begun }, failing: true) == Array(repeating: Self.busy, count: 8))
        #expect(state.withLock { $0.reads } == 1)
        try reading.finish(since: begun) { () throws(DatabaseError) in try read(failing: false) }
        #expect(state.withLock { $0.reads } == 2)
    }

    @Test func `who wants what holds now is not served what was read before`() throws {
        let early = MonotonicTime.now
        let gate = Monitor(false)
        let first = ThreadHandle(named: "first") {
            try? reading.finish(since: early) { () throws(DatabaseError) in
                let begun = MonotonicTime.now
                gate.update { $0 = true }
                state.wait { $0.isOpen ? () : nil }
                return begun
            }
        }
        gate.wait { $0 ? () : nil }
        // The first has asked the database before.
        #expect(eight(since: { .now }, failing: false, waiting: 8) == Array(repeating: nil, count: 8))
        first.join()
        #expect((1...8).contains(state.withLock { $0.reads }))
    }
}

@Suite("Requests with tokens while no connection is free", .enabled(if: TestPostgres.serverURL != nil, "scripts/test starts the server"))
struct CrowdedRevocationsTests {
    @Test func `all wait as long as one has to, and not one after another`() throws {
        let fixture = try Fixture()
        let schema = try TestSchema(onServer: #require(TestPostgres.serverURL))
        var options = Catalog.Options()
        options.readerPatience = .milliseconds(500)
        let first = fixture.context
        let catalog = try Catalog(#require(DatabaseLocation(postgresURL: schema.url)), readers: 1, log: first.log, options: options)
        defer { catalog.close() }
        try catalog.migrate()
        // No look counts for any time.
        let context = Context(
            configuration: first.configuration, catalog: catalog, store: first.store,
            access: Access(key: first.configuration.tokenKey, rules: first.configuration.tokenRules), freshness: Freshness(lasting: .zero),
            accessTimes: AccessTimes(), press: first.press, time: first.time, log: first.log)
        let head = try RequestHead(parsing: "GET / HTTP/1.1\r\nHost: cache.test\r\nAuthorization: Bearer x\r\n\r\n")
        let heard = Monitor<[DatabaseError.Kind?]>([])
        // Two minutes, one after another.
        let count = 240
        var threads: [ThreadHandle] = []
        try catalog.read { session throws(DatabaseError) in
            _ = try session.revocations()
            threads = (0..<count).map { number in
                ThreadHandle(named: "asker-\(number)") {
                    var kind: DatabaseError.Kind?
                    do throws(DatabaseError) { try context.requireFreshRevocations(for: head) } catch { kind = error.kind }
                    heard.update { $0.append(kind) }
                }
            }
            let kinds = heard.wait(until: .now + .seconds(30)) { $0.count == count ? $0 : nil }
            #expect(kinds?.allSatisfy { $0 == .busy } == true)
        }
        for thread in threads { thread.join() }
        try context.requireFreshRevocations(for: head)
    }
}
