@testable import AtticClient
import AtticAPI
import HTTPClient
import Nix
import Platform
import Support
import Testing

@Suite("A client whose server is away for a while")
struct APIClientTests {
    private let network = ClientNetwork(proxies: .none, roots: TrustRoots(file: nil), redirectsMax: 5)
    private let config = FakeServer.Answer(body: #"{"is_public":true}"#)

    /// What a client waited, and what it said meanwhile. Nothing here sleeps.
    private final class Notes: Sendable {
        let pauses = Monitor<[Duration]>([])
        let notices = Monitor<[String]>([])
        var pauseCount: Int { pauses.withLock { $0.count } }
        var noticeTexts: [String] { notices.withLock { $0 } }
    }

    private func client(_ endpoint: String, _ notes: Notes, attemptsMax: Int? = nil, afterPause: @escaping @Sendable () -> Void = {}) throws -> APIClient {
        let target = ResolvedCache(
            serverName: "local", endpoint: try HTTPURL(endpoint), token: "eyJ.a.b", cache: try #require(CacheName("hello")))
        return try APIClient(target, network: network, attemptsMax: attemptsMax, pause: { pause in
            notes.pauses.update { $0.append(pause) }
            afterPause()
        }, notice: { text in notes.notices.update { $0.append(text) } })
    }

    /// Answers the requests from `away` on with a status, and all others well.
    private func answering(_ status: Int, headers: [(String, String)] = [], _ away: Range<Int>) -> @Sendable (FakeServer.Request) -> FakeServer.Answer {
        let count = Monitor(0)
        let config = config
        return { _ in
            let number = count.update { count in defer { count += 1 }; return count }
            return away.contains(number) ? FakeServer.Answer(status: status, body: "x", headers: headers) : config
        }
    }

    @Test("asks again until it is there, and says once that it waits", arguments: [502, 503, 504, 429])
    func returns(status: Int) throws {
        let notes = Notes()
        try FakeServer.run(answering: answering(status, 1..<7)) { server in
            let client = try client(server.endpoint, notes)
            _ = try client.configuration()
            #expect(try client.configuration().isPublic == true)
            #expect(server.requests.count == 8)
        }
        // Doubling from half a second on, and half of each by chance.
        for (pause, most) in zip(notes.pauses.withLock { $0 }, [500, 1000, 2000, 4000, 8000, 15_000]) {
            #expect((.milliseconds(most / 2)...(.milliseconds(most))).contains(pause))
        }
        #expect(notes.pauseCount == 6)
        #expect(notes.noticeTexts.count == 1 && notes.noticeTexts.first?.contains("it answers \(status)") == true)
    }

    @Test("gives up in the end, and then asks once until it answers") func givesUp() throws {
        let notes = Notes()
        try FakeServer.run(answering: answering(502, 1..<9)) { server in
            let client = try client(server.endpoint, notes)
            _ = try client.configuration()
            let failure = #expect(throws: ClientFailure.self) { try client.configuration() }
            #expect(failure?.kind == .unreachable && server.requests.count == 8)
            // Others wait no more.
            #expect(throws: ClientFailure.self) { try client.configuration() }
            #expect(server.requests.count == 9 && notes.pauseCount == 6)
            _ = try client.configuration()
            #expect(server.requests.count == 10)
        }
    }

    @Test("is asked as often as the user says") func attempts() throws {
        let notes = Notes()
        try FakeServer.run(answering: answering(503, 1..<3)) { server in
            let client = try client(server.endpoint, notes, attemptsMax: 1)
            _ = try client.configuration()
            #expect(throws: ClientFailure.self) { try client.configuration() }
            #expect(server.requests.count == 2 && notes.pauseCount == 0)
        }
    }

    @Test("cannot be asked less than once", arguments: ["0", "-1", "101", "often"])
    func attemptsAreCounted(text: String) throws {
        let directory = try TemporaryDirectory()
        let context = try ClientContext(environment: ["HOME": directory.path, "TETRYX_ATTEMPTS": text])
        let failure = #expect(throws: ClientFailure.self) { try context.client(for: "http://localhost:1/hello") }
        #expect(failure?.kind == .usage && failure?.message.contains("TETRYX_ATTEMPTS is \"\(text)\"") == true)
    }

    @Test("waits less for one that never answered, and ends with what to do") func never() throws {
        let notes = Notes()
        let endpoint = try FakeServer.run(answering: { _ in .init() }) { $0.endpoint }
        let failure = #expect(throws: ClientFailure.self) { try client(endpoint, notes).configuration() }
        #expect(failure?.kind == .unreachable && failure?.advice?.contains("Is atticd running at \(endpoint)?") == true)
        #expect(notes.pauseCount == 2 && notes.noticeTexts.count == 1)
    }

    @Test("does not do twice what may have been done", arguments: [502, 504])
    func once(status: Int) throws {
        try FakeServer.run(answering: answering(status, 0..<1)) { server in
            let notes = Notes()
            let client = try client(server.endpoint, notes)
            #expect(throws: ClientFailure.self) {
                try client.create(CreateCacheRequest(keypair: .generate, isPublic: false, storeDirectory: "/nix/store", priority: 41, upstreamCacheKeyNames: []))
            }
            #expect(server.requests.count == 1 && notes.pauseCount == 0)
            // What asks only, and what is sent to be stored, may come again.
            #expect(throws: ClientFailure.self) { try client.missing([]) }
            #expect(server.requests.count == 2)
        }
    }

    @Test("sends an upload again whole") func upload() throws {
        let notes = Notes()
        try FakeServer.run(answering: answering(502, 1..<3)) { server in
            let client = try client(server.endpoint, notes)
            _ = try client.configuration()
            var made = 0
            let failure = #expect(throws: ClientFailure.self) {
                _ = try client.upload(headers: [], byteCount: 5, expectContinue: false) { writer in
                    made += 1
                    try writer.write(Array("hello".utf8))
                }
            }
            // The answer of the third time is no result of an upload.
            #expect(failure?.kind == .failed && made == 3)
            #expect(server.requests.dropFirst().allSatisfy { $0.bodyText == "hello" })
        }
    }

    @Test("waits as long as it is told, and not for hours") func retryAfter() throws {
        let notes = Notes()
        try FakeServer.run(answering: answering(503, headers: [("Retry-After", "7")], 0..<1)) { server in
            _ = try client(server.endpoint, notes).configuration()
        }
        #expect(notes.pauses.withLock { $0 } == [.seconds(7)])
        try FakeServer.run(answering: answering(503, headers: [("Retry-After", "3600")], 0..<1)) { server in
            let failure = #expect(throws: ClientFailure.self) { try client(server.endpoint, notes).configuration() }
            #expect(failure?.kind == .failed && server.requests.count == 1)
        }
        #expect(notes.pauseCount == 1)
    }

    @Test("is sent elsewhere without its token, and says so") func redirected() throws {
        let notes = Notes()
        try FakeServer.run(answering: { _ in .error(401, "Unauthorized", "Unauthorized.") }) { other in
            let answer = FakeServer.Answer(status: 307, headers: [("Location", "\(other.endpoint)/_api/v1/cache-config/hello")])
            try FakeServer.run(answering: { _ in answer }) { server in
                let failure = #expect(throws: ClientFailure.self) { try client(server.endpoint, notes).configuration() }
                #expect(failure?.kind == .notPermitted)
                #expect(failure?.message.contains("the server redirects to \(other.endpoint), which is not shown the token") == true)
            }
            #expect(other.requests.count == 1 && other.requests.allSatisfy { $0.headers["authorization"] == nil })
        }
    }
}

@Suite("A server below a path") struct PathPrefixTests {
    @Test("that names itself without it is told", arguments: [
        ("https://a/cache/", "https://a/hello", true), ("https://a/cache", "https://a/hello", true), ("https://a/cache/", "https://a/cache/hello", false),
        ("https://a", "https://a/hello", false), ("https://a/", "https://a/x/hello", false), ("https://a/cache", "https://cdn/hello", false),
        ("https://a/cache", "https://a/cached/hello", true),
    ])
    func warning(endpoint: String, substituter: String, isWarned: Bool) throws {
        let target = ResolvedCache(
            serverName: "local", endpoint: try HTTPURL(endpoint), token: nil, cache: try #require(CacheName("hello")))
        let warnings = UseCache.placeWarnings(substituter, target)
        #expect(warnings.isEmpty != isWarned)
        #expect(warnings.allSatisfy { $0.hasSuffix("substituter-endpoint in its server.toml has to be https://a/cache/") })
    }
}
