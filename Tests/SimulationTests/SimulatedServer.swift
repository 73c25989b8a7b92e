import AtticAPI
import Database
import HTTP
import HTTPServer
import Logging
import Platform
import Storage

@testable import AtticServer

/// A server without sockets, on a world and the simulation's clock.
final class SimulatedServer: Sendable {
    static let secret = Array("a secret of the simulation, long enough to be one".utf8)

    let context: Context
    let application: Application
    let upkeep: Upkeep
    let sweeper: Sweeper
    /// What answers under way rest on. Loops would ask it before each stretch, and when bytes are about to go.
    let permits = Monitor<[any Permit]>([])

    init(_ world: World, _ stage: Stage, _ time: TimeSource) throws {
        var log = Logger(label: "simulation")
        log.logLevel = .critical
        let (catalog, store) = try world.open(stage, time, log: log)
        let configuration = world.configuration
        context = Context(
            configuration: configuration, catalog: catalog, store: store,
            access: Access(key: configuration.tokenKey, rules: configuration.tokenRules), freshness: .endless,
            accessTimes: AccessTimes(),
            press: Press(threadCount: 0, kind: configuration.compressionKind, level: configuration.compressionLevel),
            time: time, log: log)
        application = Application(context)
        upkeep = Upkeep(context, collectsEvery: nil)
        sweeper = Sweeper(
            catalog: catalog, store: store, defaultRetentionSeconds: 0,
            punchDelay: Sweeper.punchDelayBesideReaders, bytesToFree: context.bytesToFree, grace: world.grace, tellInterval: .zero, steps: .alike(rows: 20), log: log)
        context.bytesToFree.use { [permits] in
            permits.update { $0.removeAll { !$0.holds } }
            return true
        }
    }

    func close() { context.catalog.close() }

    func flush() { context.accessTimes.flush(to: context.catalog, log: context.log) }

    static func token(_ user: User) -> String? {
        if user.grants.isEmpty { return nil }
        let caches = user.grants.compactMap { grant in CacheNamePattern(grant.pattern).map { ($0, grant.permissions) } }
        return Token(subject: user.name, expirySeconds: 9_000_000_000, caches: caches).signed(with: .hs256(secret: secret))
    }

    // MARK: Asking

    static func head(
        _ method: String, _ path: String, token: String?, headers: [(String, String)] = [], bodyByteCount: Int = 0
    ) throws -> RequestHead {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: cache.test\r\n"
        if let token { text += "Authorization: Bearer \(token)\r\n" }
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if bodyByteCount > 0 { text += "Content-Length: \(bodyByteCount)\r\n" }
        return try RequestHead(parsing: text + "\r\n")
    }

    func send(_ head: RequestHead, _ body: RequestBody = RequestBody()) -> Response {
        if let response = application.answerAtOnce(head) { return response }
        return application.respond(
            to: Request(head: head, id: "0123456789abcdef", remoteAddress: "192.0.2.1", body: body))
    }

    func send(_ method: String, _ path: String, token: String?, body: [UInt8] = []) throws -> Response {
        send(try SimulatedServer.head(method, path, token: token, bodyByteCount: body.count), RequestBody(body))
    }
}

extension Response {
    /// The body of an answer that lies in memory.
    var shortBytes: [UInt8] {
        if case .bytes(let bytes) = body { return bytes }
        return []
    }

    var shortText: String { String(decoding: shortBytes, as: UTF8.self) }
}
