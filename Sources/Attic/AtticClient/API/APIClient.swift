import AtticAPI
import HTTP
import HTTPClient
import Nix
import Platform

/// Asks a server about one cache. Threads share it.
package final class APIClient: Sendable {
    package let target: ResolvedCache
    private let session: HTTPSession
    private let time: TimeSource
    private let pause: @Sendable (Duration) -> Void
    private let notice: @Sendable (String) -> Void
    private let waits: Bool
    /// How often a request is sent at most; nil leaves that to the policies.
    private let attemptsMax: Int?
    private let reach = Monitor(Reach())

    /// What is known of the way to the server, by all requests together.
    private struct Reach {
        /// It has answered, so it is worth waiting for when it does not.
        var hasAnswered = false
        /// It was waited for in vain: nobody waits again until it answers.
        var isGivenUp = false
        /// The person was told that it is waited for.
        var isTold = false
    }

    /// Of a server that has answered before: it may be starting anew, which these pauses (17 to 31 seconds) outlast.
    private static let patience = RetryPolicy(attemptsMax: 7)
    /// Of one that has not: its URL may be wrong, and its user looks on.
    private static let firstPatience = RetryPolicy(attemptsMax: 3)
    /// What a server may answer, in bytes: it is read into values, which take many times that. The longest that an answer needs is a
    /// list of paths, 35 bytes each; all others are a few thousand bytes.
    private static let answerBytesMax = 1 << 20
    private static let pathsAnswerBytesMax = 16 << 20

    /// - Parameters:
    ///   - connectionsMax: uploads that run at once, and one.
    ///   - network: proxies and authorities, as the user's environment has them.
    ///   - waits: whether a server that has answered before is waited for; else no longer than for one that has not.
    ///   - attemptsMax: how often a request is sent at most, 1 and more; nil leaves that to whether the server has answered.
    ///   - pause: waits before a request is sent again.
    ///   - notice: tells the person that it takes longer, once.
    package init(
        _ target: ResolvedCache, connectionsMax: Int = 2, network: ClientNetwork, waits: Bool = true, attemptsMax: Int? = nil,
        time: TimeSource = .system,
        pause: @escaping @Sendable (Duration) -> Void = { MonotonicTime.sleep($0) },
        notice: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(ClientFailure) {
        self.target = target
        self.waits = waits
        self.attemptsMax = attemptsMax
        self.time = time
        self.pause = pause
        self.notice = notice
        do throws(ClientError) {
            session = try HTTPSession(endpoint: target.endpoint, connectionsMax: connectionsMax, network: network)
        } catch { throw Self.failure(error, .readConfiguration, target) }
    }

    // MARK: Requests

    /// What the cache is like.
    package func configuration() throws(ClientFailure) -> CacheConfig {
        let answer = try send(.readConfiguration) { ClientRequest(.get, Endpoint.cacheConfig(target.cache), headers: $0) }
        return try read(answer, .readConfiguration) { bytes throws(APIFormatError) in try CacheConfig(json: bytes) }
    }

    package func create(_ request: CreateCacheRequest) throws(ClientFailure) {
        _ = try send(.create) {
            ClientRequest(.post, Endpoint.cacheConfig(target.cache), headers: $0, body: .bytes(request.json()))
        }
    }

    /// Changes what is set in `changes`, and nothing else.
    package func configure(_ changes: CacheConfig) throws(ClientFailure) {
        _ = try send(.configure(retention: changes.retentionPeriod != nil)) {
            ClientRequest(.patch, Endpoint.cacheConfig(target.cache), headers: $0, body: .bytes(changes.json()))
        }
    }

    package func destroy() throws(ClientFailure) {
        _ = try send(.destroy) { ClientRequest(.delete, Endpoint.cacheConfig(target.cache), headers: $0) }
    }

    /// Those of the paths that the cache does not have.
    package func missing(_ hashes: [StorePathHash]) throws(ClientFailure) -> Set<StorePathHash> {
        let body = MissingPathsRequest(cache: target.cache, storePathHashes: hashes).json()
        let answer = try send(.push, answerBytesMax: Self.pathsAnswerBytesMax) {
            ClientRequest(.post, Endpoint.getMissingPaths, headers: $0, body: .bytes(body), mayRepeat: true)
        }
        let response = try read(answer, .push) { bytes throws(APIFormatError) in try MissingPathsResponse(json: bytes) }
        return Set(response.missingPaths)
    }

    /// Uploads one path; `body` makes the bytes, `byteCount` of them, and is called again where they must be sent again.
    func upload(
        headers: [(String, String)], byteCount: Int64, expectContinue: Bool, body: @escaping (RequestWriter) throws -> Void
    ) throws(ClientFailure) -> UploadPathResult {
        let answer = try send(.push) {
            ClientRequest(
                .put, Endpoint.uploadPath, headers: $0.filter { $0.0 != "Content-Type" } + headers,
                body: .stream(byteCount: byteCount, isRepeatable: true, write: body), expectContinue: expectContinue)
        }
        return try read(answer, .push) { bytes throws(APIFormatError) in try UploadPathResult(json: bytes) }
    }

    /// Uploads several paths in one request; `body` makes the bytes as above.
    ///
    /// - Returns: nil where the server or a proxy cannot take them as they are, or `body` fails: each by itself will show what
    ///   is wrong with which. Who may not push, and a full disk, are the same for each.
    func uploadTogether(
        byteCount: Int64, body: @escaping (RequestWriter) throws -> Void
    ) throws(ClientFailure) -> UploadPathsResult? {
        let outcome = exchange {
            ClientRequest(
                .put, Endpoint.uploadPaths, headers: $0.filter { $0.0 != "Content-Type" },
                body: .stream(byteCount: byteCount, isRepeatable: true, write: body))
        }
        switch outcome {
        case .success(let answer) where answer.status.code >= 400 && ![401, 403, 429, 507].contains(answer.status.code): return nil
        case .failure(.bodyFailed): return nil
        case .success, .failure:
            return try read(accepted(outcome, .push), .push) { bytes throws(APIFormatError) in
                try UploadPathsResult(json: bytes)
            }
        }
    }

    /// Puts a file of the binary cache protocol, small enough for memory.
    ///
    /// - Parameter path: below the cache, not escaped.
    func put(_ path: String, _ body: [UInt8], headers: [(String, String)]) throws(ClientFailure) {
        // Of the characters that names in a store may have, a question mark alone means something else in a URL.
        let escaped = path.split(separator: "?", omittingEmptySubsequences: false).joined(separator: "%3F")
        _ = try send(.push) {
            ClientRequest(
                .put, "/\(target.cache)/\(escaped)", headers: $0.filter { $0.0 != "Content-Type" } + headers, body: .bytes(body))
        }
    }

    // MARK: -

    /// Sends a request, again where the server puts it off or a connection breaks, and gives the body of its answer.
    private func send(
        _ operation: CacheOperation, answerBytesMax: Int = APIClient.answerBytesMax, _ request: ([(String, String)]) -> ClientRequest
    ) throws(ClientFailure) -> [UInt8] {
        try accepted(exchange(answerBytesMax: answerBytesMax, request), operation)
    }

    /// The body of an answer that says yes.
    private func accepted(
        _ outcome: Result<ClientResponse, ClientError>, _ operation: CacheOperation
    ) throws(ClientFailure) -> [UInt8] {
        switch outcome {
        case .success(let answer):
            if answer.status.isSuccess { return answer.body }
            throw RefusedOperation(
                operation: operation, target: target, status: answer.status, body: answer.body, nowSeconds: time.now().seconds,
                withheldFrom: answer.withheldFrom
            ).failure
        case .failure(let error): throw Self.failure(error, operation, target)
        }
    }

    /// Sends a request, again where the server puts it off or a connection breaks; what came of the last time.
    private func exchange(
        answerBytesMax: Int = APIClient.answerBytesMax, _ request: ([(String, String)]) -> ClientRequest
    ) -> Result<ClientResponse, ClientError> {
        var headers = [
            ("User-Agent", "tetryx/\(ClientVersion.current)"), ("Accept", Endpoint.jsonType), ("Content-Type", Endpoint.jsonType),
        ]
        if let token = target.token { headers.append(("Authorization", "Bearer \(token)")) }
        var request = request(headers)
        request.answerBytesMax = answerBytesMax
        var attempt = 1
        while true {
            let outcome = Result(catching: { () throws(ClientError) in try session.send(request) })
            let isAway = RetryPolicy.isPassing(outcome, request)
            let policy = reach.withLock { reach in
                if !isAway, case .success = outcome { reach = Reach(hasAnswered: true, isTold: reach.isTold) }
                var policy = reach.hasAnswered && waits ? Self.patience : Self.firstPatience
                if let attemptsMax { policy.attemptsMax = attemptsMax }
                if reach.isGivenUp { policy.attemptsMax = 1 }
                return policy
            }
            let delay = policy.pause(
                after: outcome, of: request, attempt: attempt, now: time.now(), chance: Double.random(in: 0..<1))
            guard let delay else {
                if isAway { reach.withLock { $0.isGivenUp = true } }
                return outcome
            }
            // A short hiccup is none of the person's business.
            if attempt > 1 || delay > .seconds(1), reach.withLock({ reach in !reach.isTold && { reach.isTold = true; return true }() }) {
                notice("⏳ Waiting for \(target.endpoint): \(Self.cause(outcome))")
            }
            pause(delay)
            attempt += 1
        }
    }

    private static func cause(_ outcome: Result<ClientResponse, ClientError>) -> String {
        switch outcome {
        case .success(let answer): "it answers \(answer.status)"
        case .failure(let error): "\(error)"
        }
    }

    private func read<Value>(
        _ bytes: [UInt8], _ operation: CacheOperation, _ parse: ([UInt8]) throws(APIFormatError) -> Value
    ) throws(ClientFailure) -> Value {
        do throws(APIFormatError) { return try parse(bytes) } catch {
            throw ClientFailure(
                .failed, "cannot \(operation.verb) \(target.quoted): the server's answer cannot be read: \(error)",
                advice: "Is \(target.endpoint) the endpoint of an atticd? tetryx login changes it.")
        }
    }

    private static func failure(_ error: ClientError, _ operation: CacheOperation, _ target: ResolvedCache) -> ClientFailure {
        let message = "cannot \(operation.verb) \(target.quoted): "
        return switch error {
        case .unreachable, .timedOut, .disconnected:
            ClientFailure(
                .unreachable, message + "\(error)",
                advice: "Is atticd running at \(target.endpoint)? tetryx login changes the endpoint.")
        case .malformed:
            ClientFailure(
                .failed, message + "\(error)",
                advice: "Is \(target.endpoint) the endpoint of an atticd? tetryx login changes it.")
        // Nobody was spoken to, and what to do stands in the sentence.
        case .untrusted, .proxyFailed: ClientFailure(.unreachable, message + "\(error)")
        case .redirectRefused:
            ClientFailure(.failed, message + "\(error)", advice: "tetryx login changes the endpoint, which is \(target.endpoint) now.")
        case .malformedURL: ClientFailure(.usage, message + "\(error)")
        case .tooLarge: ClientFailure(.failed, message + "\(error)")
        case .bodyFailed(let cause), .receiverFailed(let cause): ClientFailure(.failed, message + "\(cause)")
        }
    }
}

/// The client's version, for `--version` and the server's log.
package enum ClientVersion {
    package static let current = "0.1.0"
}
