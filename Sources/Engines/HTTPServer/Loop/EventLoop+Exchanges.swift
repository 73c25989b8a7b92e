import HTTP
import Logging
import Platform

/// What a connection's machine says, and the only place that does it: requests begin, are answered, and end.
extension EventLoop {
    /// Does what a machine says.
    mutating func perform(_ action: ConnectionMachine.Action, _ connection: inout Connection) {
        switch action {
        case .wait, .body: break
        case .begin(let head): begin(&connection, head)
        case .endOfBody: endBody(&connection, .complete)
        case .failBody(let error):
            if error == .disconnected { connection.exchange?.isAbandoned = true }
            endBody(&connection, .failed(error))
        case .refuse(let refusal):
            if connection.exchange == nil { connection.exchange = exchange(nil) }
            send(&connection, refusal.response, keepsAlive: false)
        case .close: close(&connection)
        }
    }

    private mutating func exchange(_ head: RequestHead?) -> Connection.Exchange {
        Connection.Exchange(id: requestIDs.next(), head: head, began: now, time: time)
    }

    /// A request has come: answered at once, or given to its lane.
    private mutating func begin(_ connection: inout Connection, _ head: RequestHead) {
        connection.exchange = exchange(head)
        let shared = context.shared
        if let response = shared.handler.answerAtOnce(head, at: now) { return reply(&connection, response) }
        let lane = shared.handler.lane(for: head)
        connection.machine.queued(on: lane)
        let body = body(&connection, head, lane)
        let request = Request(
            head: head, id: connection.exchange.map { "\($0.id)" } ?? "", remoteAddress: connection.peer.host, body: body)
        // Who announces too much is told so at once.
        guard lane.takesWholeBodies, let byteCount = connection.exchange?.pipe?.capacity,
            head.bodyFraming.declaredByteCount ?? 0 <= limits.awaitedBodyBytesMax
        else { return submit(&connection, request, lane) }
        guard shared.clients.takeHeld(byteCount, of: connection.client) else { return reply(&connection, overload.response) }
        connection.exchange?.heldByteCount = byteCount
        connection.exchange?.waiting = (request, lane)
        askForBody(&connection)
    }

    /// Gives a request to its lane.
    private mutating func submit(_ connection: inout Connection, _ request: Request, _ lane: Lane) {
        let (cookie, mailbox, shared) = (connection.cookie, context.mailbox, context.shared)
        let isTaken = shared.pool(lane).submit {
            mailbox.post(.replied(cookie, shared.handler.respond(to: request)))
        }
        if isTaken { return }
        reply(&connection, overload.response)
    }

    /// Somebody wants the body; a client that waits to be asked for it is.
    mutating func askForBody(_ connection: inout Connection) {
        if connection.machine.bodyWanted() {
            connection.sender.add(head: Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), body: .empty)
        }
    }

    /// The body has come, or will not.
    private mutating func endBody(_ connection: inout Connection, _ end: BytePipe<RequestBodyError>.End) {
        connection.exchange?.pipe?.finish(end)
        submitWaiting(&connection)
    }

    /// Gives a request that waited for its body to its lane.
    mutating func submitWaiting(_ connection: inout Connection) {
        guard let (request, lane) = connection.exchange?.waiting else { return }
        connection.exchange?.waiting = nil
        submit(&connection, request, lane)
    }

    /// What is said where all threads of a kind are busy and enough wait for them already.
    var overload: Refusal {
        Refusal(
            .serviceUnavailable, "the server has more to do than it can take in",
            retryAfterSeconds: limits.retryAfterSeconds)
    }

    private mutating func body(_ connection: inout Connection, _ head: RequestHead, _ lane: Lane) -> RequestBody {
        guard head.bodyFraming.hasBytes else { return RequestBody() }
        let cookie = connection.cookie
        let mailbox = context.mailbox
        let declared = head.bodyFraming.declaredByteCount
        let most = lane.takesWholeBodies ? limits.awaitedBodyBytesMax : limits.bodyBufferBytes
        let capacity = Int(min(declared ?? .max, Int64(most)))
        let pipe = BytePipe<RequestBodyError>(capacity: capacity) { mailbox.post(.bodyRoom(cookie)) }
        connection.exchange?.pipe = pipe
        return RequestBody(declaredByteCount: declared, pipe: pipe) { mailbox.post(.bodyWanted(cookie)) }
    }

    /// There is an answer to the request under way.
    mutating func reply(_ connection: inout Connection, _ response: Response) {
        connection.exchange?.pipe?.abandon()
        connection.exchange?.pipe = nil
        giveBackHeld(&connection)
        let framing = streamFraming(of: response, connection)
        let keepsAlive = connection.machine.replied(endsByClosing: framing == .untilClose)
        if let framing { return sendStream(&connection, response, framing, keepsAlive: keepsAlive) }
        if addsUp(response, connection) { return send(&connection, response, keepsAlive: keepsAlive) }
        context.shared.log.error("An answer's files do not add up to its length: \(connection.exchange.map { "\($0.id)" } ?? "")")
        let refusal = Refusal(.internalServerError, "the server encountered an internal error")
        send(&connection, refusal.response, keepsAlive: keepsAlive)
    }

    /// Answers whose files do not add up to what they promise would break the connection's order: a bug of a handler.
    private func addsUp(_ response: Response, _ connection: borrowing Connection) -> Bool {
        guard case .files(let extents, let byteCount) = response.body else { return true }
        return connection.exchange?.head?.method == .head || extents.reduce(0) { $0 + $1.byteCount } == byteCount
    }

    /// Sends an answer.
    ///
    /// - Parameters:
    ///   - framing: of a body that is a stream and has been begun; nil where there is none.
    ///   - outlet: where that stream comes out.
    mutating func send(
        _ connection: inout Connection, _ response: Response, keepsAlive: Bool, framing: ResponseFraming? = nil,
        outlet: ByteOutlet? = nil
    ) {
        precondition(connection.exchange != nil, "an answer without an exchange")
        connection.exchange?.status = response.status
        connection.exchange?.permit = response.permit
        let hasBody = hasBody(response, connection)
        let isJoined = hasBody && ResponseSender.isJoined(response.body)
        if hasBody, !isJoined, case .bytes(let bytes) = response.body, bytes.count > limits.uncountedBodyBytesMax {
            guard context.shared.clients.takeHeld(bytes.count, of: connection.client) else {
                return send(&connection, overload.response, keepsAlive: keepsAlive)
            }
            connection.exchange?.heldByteCount += bytes.count
        }
        let head = renderer.render(
            response, isJoined: isJoined, isChunked: framing == .chunked, requestID: connection.exchange?.id ?? RequestID(rawValue: 0),
            keepsAlive: keepsAlive, version: connection.exchange?.head?.version ?? .http11, time: time)
        connection.sender.add(head: head, body: hasBody && !isJoined ? response.body : .empty, outlet: outlet)
    }

    // MARK: The end

    /// Ends a connection that its client has broken, or the way to it.
    mutating func lose(_ connection: inout Connection) {
        if connection.exchange?.status == nil { connection.exchange?.isAbandoned = true }
        close(&connection)
    }

    /// Ends a connection, whatever it is doing.
    mutating func close(_ connection: inout Connection) {
        if connection.isClosed { return }
        connection.isClosed = true
        connection.exchange?.pipe?.finish(.failed(.disconnected))
        connection.sender.abandon()
        record(connection, isComplete: false)
        endExchange(&connection)
        if let kept = connection.kept {
            connection.kept = nil
            pool.giveBack(kept)
        }
        deadlines.remove(Int(connection.cookie.slot))
        // The descriptor is closed with the last reference, which is not long in coming.
        table.remove(connection.cookie)
        connectionEnded(of: connection.client)
    }

    /// Lets go of what an exchange held.
    mutating func endExchange(_ connection: inout Connection) {
        giveBackHeld(&connection)
        connection.exchange = nil
    }

    private mutating func giveBackHeld(_ connection: inout Connection) {
        guard let byteCount = connection.exchange?.heldByteCount, byteCount > 0 else { return }
        connection.exchange?.heldByteCount = 0
        context.shared.clients.giveBackHeld(byteCount, of: connection.client)
    }

    /// Notes an answer for the access log, or that there was nobody left to have one.
    mutating func record(_ connection: borrowing Connection, isComplete: Bool) {
        guard context.shared.accessLog != nil else { return }
        answered.add(connection, isComplete: isComplete, now: now)
    }
}
