import Platform

/// Connections to one server, shared by threads: at most so many at once, and kept between requests.
final class ConnectionPool: Sendable {
    /// A connection to send one request over.
    struct Lease {
        let transport: any Transport
        /// It has carried requests before, so the server may be closing it right now.
        let wasKept: Bool
    }

    private struct State {
        /// The one that was used last is at the end: it is the least likely to have been closed.
        var idle: [(transport: any Transport, since: MonotonicTime)] = []
        /// Idle ones and those that are lent.
        var openCount = 0
    }

    private enum Place {
        case kept(any Transport)
        case new
    }

    private let state: Monitor<State>
    private let connectionsMax: Int
    private let idleMax: Duration
    private let connect: @Sendable () throws(ClientError) -> any Transport

    /// - Parameters:
    ///   - connectionsMax: idle ones and those in use.
    ///   - idleMax: after that, an idle connection is not used any more. Servers close theirs after a minute or so.
    ///   - connect: makes a connection.
    init(connectionsMax: Int, idleMax: Duration, connect: @escaping @Sendable () throws(ClientError) -> any Transport) {
        precondition(connectionsMax > 0, "a pool has at least one connection")
        state = Monitor(State())
        self.connectionsMax = connectionsMax
        self.idleMax = idleMax
        self.connect = connect
    }

    /// Lends a connection; waits where all are in use.
    ///
    /// - Parameter fresh: makes a new one, also where one is idle.
    func take(fresh: Bool) throws(ClientError) -> Lease {
        while true {
            switch place(fresh: fresh) {
            case .new:
                do throws(ClientError) { return Lease(transport: try connect(), wasKept: false) } catch {
                    drop()
                    throw error
                }
            case .kept(let transport):
                if Self.isQuiet(transport) { return Lease(transport: transport, wasKept: true) }
                drop()
            }
        }
    }

    /// Takes a connection back that can carry another request.
    func keep(_ transport: any Transport) {
        let now = MonotonicTime.now
        state.update { $0.idle.append((transport, now)) }
    }

    /// Forgets a connection that was lent.
    func drop() { state.update { $0.openCount -= 1 } }

    private func place(fresh: Bool) -> Place {
        let connectionsMax = connectionsMax
        let oldest = MonotonicTime(nanoseconds: MonotonicTime.now.nanoseconds - idleMax.wholeNanoseconds)
        return state.wait { state in
            state.openCount -= state.idle.count
            state.idle.removeAll { $0.since < oldest }
            state.openCount += state.idle.count
            if !fresh, let kept = state.idle.popLast() { return .kept(kept.transport) }
            if state.openCount >= connectionsMax {
                guard !state.idle.isEmpty else { return nil }
                state.idle.removeFirst()
                state.openCount -= 1
            }
            state.openCount += 1
            return .new
        }
    }

    /// Nothing has come on an idle connection: what would come is its end, or an answer to no question.
    private static func isQuiet(_ transport: any Transport) -> Bool {
        (try? transport.wait(for: .readable, until: MonotonicTime(nanoseconds: 0)))?.isEmpty ?? false
    }
}
