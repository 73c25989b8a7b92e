import Database
import HTTP
import HTTPServer
import Platform
import Storage

@testable import AtticServer

/// Another server on a fixture's database and storage, as a replica is; the fixture has the storage to itself, this one reads it.
final class Replica {
    let context: Context
    let application: Application
    let upkeep: Upkeep

    /// - Parameter lookPatience: how long a look waits for the writing thread; long, so that a busy machine does not decide what it finds.
    init(of fixture: Fixture, freshness: Freshness = .endless, lookPatience: Duration = .seconds(60)) throws {
        let first = fixture.context
        var options = Catalog.Options()
        options.lookPatience = lookPatience
        let catalog = try Catalog(first.configuration.database, readers: 2, log: first.log, options: options)
        context = Context(
            configuration: first.configuration, catalog: catalog,
            store: try Fixture.openStore(first.configuration, catalog, forServing: false, time: first.time, log: first.log),
            access: Access(key: first.configuration.tokenKey, rules: first.configuration.tokenRules), freshness: freshness,
            accessTimes: AccessTimes(),
            press: Press(threadCount: 1, kind: first.configuration.compressionKind, level: first.configuration.compressionLevel),
            time: first.time, log: first.log)
        application = Application(context)
        upkeep = Upkeep(context, collectsEvery: nil)
    }

    deinit {
        context.press.close()
        context.catalog.close()
    }

    /// What a loop answers in a turn that began then; nil where it asks a thread.
    func atOnce(_ path: String, token: String? = nil, at now: MonotonicTime) throws -> Response? {
        application.answerAtOnce(try Replica.head(path, token), at: now)
    }

    /// What a thread answers.
    func handled(_ path: String, token: String? = nil) throws -> Response {
        application.respond(
            to: Request(head: try Replica.head(path, token), id: "0123456789abcdef", remoteAddress: "192.0.2.1", body: RequestBody([])))
    }

    private static func head(_ path: String, _ token: String?) throws -> RequestHead {
        try RequestHead(parsing: "GET \(path) HTTP/1.1\r\nHost: cache.test\r\n" + (token.map { "Authorization: Bearer \($0)\r\n" } ?? "") + "\r\n")
    }
}
