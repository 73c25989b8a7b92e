import HTTP
import Platform

/// When a request is sent again, and after how long. Pure: whoever sends it keeps the count, and waits.
///
/// Pauses double from one to the next, and a part of each is left to chance, so that the clients of a server that comes back do not
/// come back all at once.
package struct RetryPolicy: Hashable, Sendable {
    /// How often a request is sent, with the first time.
    package var attemptsMax: Int
    package var firstPause: Duration
    package var pauseMax: Duration
    /// The longest that a server may put one off; more is a failure that says so.
    package var retryAfterMax: Duration

    package init(
        attemptsMax: Int, firstPause: Duration = .milliseconds(500), pauseMax: Duration = .seconds(15),
        retryAfterMax: Duration = .seconds(60)
    ) {
        self.attemptsMax = attemptsMax
        self.firstPause = firstPause
        self.pauseMax = pauseMax
        self.retryAfterMax = retryAfterMax
    }

    /// How long to wait before the request is sent again; nil where it is not.
    ///
    /// - Parameters:
    ///   - attempt: how often it was sent, 1 and more.
    ///   - chance: 0 up to 1; what of the pause is left to chance, which is half of it.
    package func pause(
        after outcome: Result<ClientResponse, ClientError>, of request: ClientRequest, attempt: Int, now: WallTime, chance: Double
    ) -> Duration? {
        guard attempt < attemptsMax, request.body.isRepeatable, Self.isPassing(outcome, request) else { return nil }
        // It took minutes already: once more, and no longer.
        if case .failure(.timedOut) = outcome, attempt > 1 { return nil }
        let growing = min(firstPause * (1 << min(attempt - 1, 20)), pauseMax)
        let pause = growing / 2 + growing / 2 * chance
        guard case .success(let answer) = outcome, let asked = Self.retryAfter(answer, now) else { return pause }
        return asked <= retryAfterMax ? max(asked, pause) : nil
    }

    /// Whether the outcome says that another time may do, and the request may be sent another time after it.
    package static func isPassing(_ outcome: Result<ClientResponse, ClientError>, _ request: ClientRequest) -> Bool {
        switch outcome {
        case .success(let answer):
            switch answer.status.code {
            // Both say that nothing was done (RFC 9110, 15.6.4; RFC 6585, 4): any method may come again.
            case 429, 503: true
            // A proxy in front does not know what was done, nor a server whose database went away.
            case 502, 504: request.mayRepeat
            default: false
            }
        // Nothing was sent.
        case .failure(.unreachable): true
        case .failure(.disconnected), .failure(.timedOut): request.mayRepeat
        case .failure: false
        }
    }

    /// Retry-After, in seconds or as a date (RFC 9110, section 10.2.3); nil where it says nothing that can be read.
    private static func retryAfter(_ answer: ClientResponse, _ now: WallTime) -> Duration? {
        guard let text = answer.header("Retry-After") else { return nil }
        if let seconds = Int64(text) { return .seconds(max(seconds, 0)) }
        return HTTPDate.parse(text).map { .seconds(max($0 - now.seconds, 0)) }
    }
}
