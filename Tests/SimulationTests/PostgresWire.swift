import Platform
import Support

/// What lies between the simulated server and PostgreSQL: a socket that carries bytes both ways, until it is told to lose some.
///
/// Requests and answers are told apart by the protocol's own frames: a server that has answered all says so, ReadyForQuery
/// (https://www.postgresql.org/docs/15/protocol-message-formats.html).
final class PostgresWire: Sendable {
    enum Strike: Sendable {
        /// The request is lost, and the connection.
        case cut
        /// The request is done, its answer is lost, and the connection.
        case loseAnswer
    }

    fileprivate struct State {
        /// For the next request of the writing session.
        var strike: Strike?
        var connectionCount = 0
        var isEnding = false
    }

    private let place: TemporaryDirectory
    private let state = Monitor(State())
    private let thread: ThreadHandle

    /// Where libpq finds its socket.
    var directory: String { place.path }

    /// - Parameter server: the path of PostgreSQL's own.
    init(to server: String) throws {
        place = try TemporaryDirectory()
        let carrier = Carrier(
            listener: try LocalSocket.listen(place.file(".s.PGSQL.5432"), permissions: 0o777), server: server, state: state)
        thread = ThreadHandle(named: "wire") { carrier.run() }
    }

    deinit {
        state.update { $0.isEnding = true }
        // Wakes it.
        _ = try? LocalSocket.connect(place.file(".s.PGSQL.5432"))
        thread.join()
    }

    func strike(_ strike: Strike) { state.update { $0.strike = strike } }

    /// Waits until all connections have ended.
    func waitUntilUnused() { state.wait { $0.connectionCount == 0 ? () : nil } }
}

/// Carries bytes. Thread: wire.
private final class Carrier: Sendable {
    private let listener: FileDescriptor
    private let server: String
    private let state: Monitor<PostgresWire.State>

    init(listener: consuming FileDescriptor, server: String, state: Monitor<PostgresWire.State>) {
        self.listener = listener
        self.server = server
        self.state = state
    }

    func run() {
        var pairs: [Pair] = []
        while true {
            let ready = Set(Sockets.wait(for: [listener.rawValue] + pairs.flatMap { [$0.client.rawValue, $0.server.rawValue] }))
            if state.withLock({ $0.isEnding }) { return }
            var kept: [Pair] = []
            for (index, pair) in pairs.enumerated() {
                var lives = true
                if ready.contains(1 + 2 * index) { lives = pair.carryRequest(state) }
                if lives && ready.contains(2 + 2 * index) { lives = pair.carryAnswer() }
                if lives { kept.append(pair) }
            }
            let endedCount = pairs.count - kept.count
            pairs = kept
            if endedCount > 0 { state.update { $0.connectionCount -= endedCount } }
            if ready.contains(0), let pair = accept() {
                state.update { $0.connectionCount += 1 }
                pairs.append(pair)
            }
        }
    }

    /// Nil where nobody waits any more, or PostgreSQL is away.
    private func accept() -> Pair? {
        do {
            guard let accepted = try listener.accept() else { return nil }
            return Pair(client: accepted.take(), server: try LocalSocket.connect(server))
        } catch { return nil }
    }
}

/// One connection, both halves of it.
private final class Pair {
    let client: FileDescriptor
    let server: FileDescriptor
    private var answers = AnswerReader()
    /// It told so when it began.
    private var isWriter = false
    private var isLosing = false

    init(client: consuming FileDescriptor, server: consuming FileDescriptor) {
        self.client = client
        self.server = server
    }

    /// False where the connection has ended.
    func carryRequest(_ state: Monitor<PostgresWire.State>) -> Bool {
        guard let bytes = Sockets.receive(from: client) else { return false }
        if answers.isComplete {
            // A request begins.
            answers.isComplete = false
            let strike = isWriter ? state.withLock { state in
                defer { state.strike = nil }
                return state.strike
            } : nil
            if strike == .cut { return false }
            isLosing = strike == .loseAnswer
        }
        // Of what every session is told first, only the one that writes is told this.
        if !isWriter, String(decoding: bytes, as: UTF8.self).contains("lock_timeout") { isWriter = true }
        return Sockets.send(bytes, to: server)
    }

    /// False where the connection has ended.
    func carryAnswer() -> Bool {
        guard let bytes = Sockets.receive(from: server) else { return false }
        answers.take(bytes)
        return isLosing ? !answers.isComplete : Sockets.send(bytes, to: client)
    }
}

/// Finds the end of an answer among the server's bytes: a type and a length of four bytes, then the rest of the message.
private struct AnswerReader {
    /// Whether the server waits for a request.
    var isComplete = false
    private var head: [UInt8] = []
    private var left = 0

    mutating func take(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if head.count < 5 {
                let part = rest.prefix(5 - head.count)
                head += part
                rest = rest.dropFirst(part.count)
                if head.count < 5 { return }
                left = head[1...4].reduce(0) { $0 << 8 | Int($1) } - 4
            }
            let part = min(left, rest.count)
            rest = rest.dropFirst(part)
            left -= part
            if left > 0 { return }
            isComplete = head[0] == UInt8(ascii: "Z")
            head = []
        }
    }
}
