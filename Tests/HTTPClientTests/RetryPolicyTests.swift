import HTTP
@testable import HTTPClient
import Platform
import Testing

@Suite("A request is sent again") struct RetryPolicyTests {
    private let policy = RetryPolicy(attemptsMax: 4)
    private let get = ClientRequest(.get, "/")
    private let post = ClientRequest(.post, "/", body: .bytes([1]))
    private let once = ClientRequest(.put, "/", body: .stream(byteCount: 1, isRepeatable: false) { _ in })

    private func answer(_ status: Int, _ lines: String = "") throws -> Result<ClientResponse, ClientError> {
        var parser = ResponseParser(limits: HeadLimits(headBytesMax: 4096, headerCountMax: 10))
        let bytes = Array("HTTP/1.1 \(status) X\r\n\(lines)\r\n".utf8)
        let outcome = try unsafe bytes.withUnsafeBytes { try unsafe parser.parse($0) }
        guard case .head(let head, _) = outcome else { throw ClientError.malformed(host: "a", reason: "test") }
        return .success(ClientResponse(head: head, body: [], sentWholeBody: true))
    }

    private func pause(_ outcome: Result<ClientResponse, ClientError>, _ request: ClientRequest, attempt: Int = 1, chance: Double = 0) -> Duration? {
        policy.pause(after: outcome, of: request, attempt: attempt, now: WallTime(milliseconds: 784_111_777_000), chance: chance)
    }

    @Test("where another time may do, and it may come twice", arguments: [
        (200, false, false), (400, false, false), (401, false, false), (404, false, false), (408, false, false), (429, true, true),
        (500, false, false), (502, true, false), (503, true, true), (504, true, false), (507, false, false),
    ])
    func statuses(status: Int, get isGetRepeated: Bool, post isPostRepeated: Bool) throws {
        #expect(try (pause(answer(status), get) != nil) == isGetRepeated)
        #expect(try (pause(answer(status), post) != nil) == isPostRepeated)
        #expect(try pause(answer(status), once) == nil)
    }

    @Test("where a connection failed, and not where anything else did") func errors() {
        let unreachable = ClientError.unreachable(host: "a", cause: "x")
        #expect(pause(.failure(unreachable), get) != nil && pause(.failure(unreachable), post) != nil)
        for error in [ClientError.disconnected(host: "a", what: "x"), .timedOut(host: "a", what: "x")] {
            #expect(pause(.failure(error), get) != nil && pause(.failure(error), post) == nil && pause(.failure(error), once) == nil)
        }
        // Minutes of silence are waited through twice.
        #expect(pause(.failure(.timedOut(host: "a", what: "x")), get, attempt: 2) == nil)
        #expect(pause(.failure(.disconnected(host: "a", what: "x")), get, attempt: 2) != nil)
        let others: [ClientError] = [
            .untrusted(host: "a", cause: "x"), .malformed(host: "a", reason: "x"), .redirectRefused(host: "a", reason: "x"),
            .proxyFailed(name: "a", cause: "x"), .malformedURL("a", reason: "x"), .tooLarge(host: "a", byteCountMax: 1), .bodyFailed(BodyLengthMismatch(announced: 1, written: 2)),
        ]
        for error in others { #expect(pause(.failure(error), get) == nil) }
    }

    @Test("after pauses that double, half of each by chance, and not for ever") func pauses() throws {
        let busy = try answer(503)
        #expect((1...4).map { pause(busy, get, attempt: $0) } == [.milliseconds(250), .milliseconds(500), .seconds(1), nil])
        #expect((1...4).map { pause(busy, get, attempt: $0, chance: 1) } == [.milliseconds(500), .seconds(1), .seconds(2), nil])
        let patient = RetryPolicy(attemptsMax: 100)
        #expect(patient.pause(after: busy, of: get, attempt: 99, now: WallTime(milliseconds: 0), chance: 1) == .seconds(15))
    }

    @Test("when the server says, up to a minute", arguments: [
        ("Retry-After: 3\r\n", .seconds(3)), ("Retry-After: 0\r\n", .milliseconds(250)), ("Retry-After: 60\r\n", .seconds(60)), ("Retry-After: 61\r\n", nil),
        ("Retry-After: -5\r\n", .milliseconds(250)), ("Retry-After: 99999999999999999999\r\n", .milliseconds(250)), ("Retry-After: 9223372036854775807\r\n", nil),
        ("Retry-After: Sun, 06 Nov 1994 08:49:42 GMT\r\n", .seconds(5)), ("Retry-After: Sun, 06 Nov 1994 08:49:30 GMT\r\n", .milliseconds(250)),
        ("Retry-After: Sun, 06 Nov 2994 08:49:37 GMT\r\n", .milliseconds(250)), ("Retry-After: soon\r\n", .milliseconds(250)),
        ("Retry-After: Tue, 06 Nov 2125 08:49:37 GMT\r\n", nil),
    ] as [(String, Duration?)])
    func retryAfter(line: String, expected: Duration?) throws {
        #expect(try pause(answer(503, line), get) == expected)
    }
}
