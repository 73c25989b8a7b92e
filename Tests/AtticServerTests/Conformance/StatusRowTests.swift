import AtticAPI
import Database
import HTTP
import HTTPServer
import Nix
import Support
import Testing

@testable import AtticServer

/// What each status means to Nix, and so what we answer; docs/api.md, "Conformance", lists the rows.
@Suite("Conformance: statuses")
struct StatusRowTests {
    static let missing = String(repeating: "0", count: 32)
    let fixture: Fixture
    let path: TestPath
    let cache: CacheName

    init() throws {
        fixture = try Fixture()
        cache = try fixture.makeCache("open", isPublic: true)
        try fixture.makeCache("closed")
        path = try TestPath("tool", seeds: [1], byteCount: 200_000)
        #expect(try fixture.push(path, to: cache).status == .ok)
    }

    @Test("200, 206, 304: success to every generation")
    func success() throws {
        let nar = "/open/\(try fixture.narInfo(path, in: cache).url)"
        let whole = try fixture.send("GET", nar)
        let tag = try #require(whole.header("ETag"))
        #expect(whole.status == .ok)
        #expect(try fixture.send("GET", nar, headers: [("Range", "bytes=5-")]).status == .partialContent)
        #expect(try fixture.send("GET", nar, headers: [("If-None-Match", tag)]).status == .notModified)
    }

    @Test("404: absent to every generation, so it is what a permitted client is told of what is not here")
    func absent() throws {
        let token = try fixture.token([("closed", .pull)])
        for (target, token) in [
            ("/open/\(Self.missing).narinfo", nil), ("/open/nar/\(Self.missing).nar", nil), ("/open/\(Self.missing).closure.narinfo", nil),
            ("/closed/\(Self.missing).narinfo", token), ("/closed/\(path.storePath.hash).narinfo", token),
        ] {
            #expect(try fixture.send("GET", target, token: token).status == .notFound)
            #expect(try fixture.send("HEAD", target, token: token).status == .notFound)
        }
    }

    @Test("403: absent to every generation; only for a token that knows of the cache and may not pull")
    func forbidden() throws {
        let token = try fixture.token([("closed", .push)])
        #expect(try fixture.send("GET", "/closed/\(Self.missing).narinfo", token: token).status == .forbidden)
    }

    @Test("401: absent up to 2.34, an error from 2.35 on; with WWW-Authenticate, unless another status is configured")
    func unauthorized() throws {
        let answer = try fixture.send("GET", "/closed/\(Self.missing).narinfo")
        #expect(answer.status == .unauthorized && answer.header("WWW-Authenticate")?.hasPrefix("Basic ") == true)
    }

    @Test("other 4xx: fatal, so only what is wrong with the request itself")
    func fatal() throws {
        #expect(try fixture.send("GET", "/open/short.narinfo").status == .badRequest)
        #expect(try fixture.send("DELETE", "/open/nix-cache-info").status == .methodNotAllowed)
    }

    @Test("503: transient, so what passes by itself; with Retry-After where that is known")
    func transient() throws {
        #expect(Problem.busy(retryAfterSeconds: 2).response.header("Retry-After") == "2")
        #expect(Problem.busy(retryAfterSeconds: 2).response.status == .serviceUnavailable)
        #expect(Problem.incompleteNar.response.status == .serviceUnavailable)
    }

    @Test("504, of the other 5xx: transient, so what nobody knows whether it was done; a push of plain Nix ends there, and shows why")
    func inDoubt() throws {
        let head = try RequestHead(parsing: "POST /_api/v1/cache-config/new HTTP/1.1\r\nHost: cache.test\r\n\r\n")
        let request = Request(head: head, id: "0123456789abcdef", remoteAddress: "192.0.2.1", body: RequestBody([]))
        let cause = DatabaseError(.inDoubt, "commit", "COMMIT", "the server went away")
        let problem = Problem(cause: cause, of: request, log: fixture.context.log, troubles: TroubleLog())
        #expect(problem == .inDoubt && problem.response.status == .gatewayTimeout && problem.response.header("Retry-After") == "1")
        #expect(problem.toPlainNix.status == .conflict)
    }

    /// All that a client can be told.
    static let problems: [Problem] = [
        .notFound, .methodNotAllowed(allowed: "GET"), .unauthorized(reason: ""), .refusedRead(.forbidden, reason: ""), .accessDenied,
        .noSuchCache, .cacheAlreadyExists, .noSuchObject, .noListing(""), .incompleteNar, .request(""), .tooLarge(""),
        .unsupportedForm(""), .refused(""), .conflict(""), .storageFull, .storageTrouble, .busy(retryAfterSeconds: 1), .inDoubt,
        .internalServer,
    ]

    @Test("202, and any other 2xx or 3xx: retried as transient, so never answered")
    func never() {
        // 407, 408, 429, 501, 505 and 511 mean more to Nix than is meant here; the engine alone gives 408, 501 and 505.
        let answered: Set = [400, 401, 403, 404, 405, 409, 413, 415, 500, 503, 504, 507]
        for problem in Self.problems { #expect(answered.contains(problem.status.code), "\(problem)") }
    }

    @Test("410: absent as 404 is, which says all of it, so never answered")
    func gone() {
        #expect(!Self.problems.contains { $0.status.code == 410 })
    }

    @Test("408, 429: transient, so no handler's answer to a request that came whole")
    func transientOfTheClient() {
        #expect(!Self.problems.contains { [408, 429].contains($0.status.code) })
        // A PUT would come again without its body.
        #expect(!Self.problems.contains { [408, 429].contains($0.toPlainNix.status.code) })
    }

    @Test("501, 505, 511: fatal, and of no handler: the engine gives the first two to what no Nix sends")
    func fatalOfTheServer() {
        #expect(!Self.problems.contains { [501, 505, 511].contains($0.status.code) })
    }

    @Test("other 5xx: transient; a push of plain Nix gets only what nothing can be done about")
    func otherServerErrors() {
        #expect(Set(Self.problems.map(\.status.code).filter { $0 >= 500 }) == [500, 503, 504, 507])
        #expect(Set(Self.problems.map(\.toPlainNix.status.code).filter { $0 >= 500 }) == [500])
    }

    @Test("Attempts: every one of five gets the same answer, of a read and of a PUT")
    func attempts() throws {
        let target = "/open/\(path.storePath.hash).narinfo"
        let first = try fixture.send("GET", target)
        let info = try fixture.narInfo(path, in: cache)
        for _ in 1...5 {
            #expect(try fixture.send("GET", target).text == first.text)
            let put = try fixture.send("PUT", target, token: fixture.root(), body: info.rendered())
            #expect(PushReplayTests.taken.contains(put.status.code), "\(put.text)")
        }
        #expect(try fixture.send("GET", target).text == first.text)
    }

    @Test("Retry-After: a few whole seconds, which Nix waits from 2.35 on, with all that passes by itself but a loss of bytes")
    func retryAfter() throws {
        for problem in Self.problems where problem.status == .serviceUnavailable && problem != .incompleteNar {
            let seconds = try #require(problem.response.header("Retry-After").flatMap { Int($0) }, "\(problem)")
            #expect((1...60).contains(seconds))
        }
    }

    @Test("nix-cache-info: 200 wherever the cache can be read, and no write of it is ever taken", arguments: NixClient.all)
    func cacheInfo(_ client: NixClient) throws {
        let server = try LoopbackFixture()
        try server.fixture.makeCache("open", isPublic: true)
        try server.fixture.makeCache("closed")
        let token = try server.fixture.root()
        #expect(try ReplayConnection(client, to: server).send("GET", "/open/nix-cache-info").status == 200)
        #expect(try ReplayConnection(client, to: server, token: token).send("GET", "/closed/nix-cache-info").status == 200)
        // What Nix up to 2.25 and Lix do next where it is refused, or missing: they write one, also when they only read.
        for (cache, token) in [("closed", nil), ("open", nil), ("open", token), ("nothere", token)] {
            let put = try ReplayConnection(client, to: server, token: token)
                .put("/\(cache)/nix-cache-info", type: "text/x-nix-cache-info", Array("StoreDir: /nix/store\n".utf8))
            // Fatal to all of them: nobody tries again, or waits for 100 Continue before it knows.
            #expect([400, 401, 403, 404, 405].contains(put.answer.status) && !put.continued)
        }
        #expect(try ReplayConnection(client, to: server).send("GET", "/open/nix-cache-info").text.contains("Priority: 41\n"))
    }
}
