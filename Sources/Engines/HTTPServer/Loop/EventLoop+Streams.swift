import HTTP
import Logging
import Platform

/// Bodies that are made while they are sent: a producer writes on a thread of its own, the loop sends what has come, and
/// an outlet between the two lets whoever is ahead wait.
extension EventLoop {
    /// How a body that is to be made for this request ends; nil where none is: it is of another kind, or not asked for.
    func streamFraming(of response: Response, _ connection: borrowing Connection) -> ResponseFraming? {
        guard case .stream(let byteCount, _) = response.body, hasBody(response, connection) else { return nil }
        if let byteCount { return .contentLength(byteCount) }
        // RFC 9112, section 6.1: no chunked coding to who did not show to know HTTP/1.1; its body ends with the connection.
        return connection.exchange?.head?.version == .http11 ? .chunked : .untilClose
    }

    /// Whether bytes follow the head of this answer.
    func hasBody(_ response: Response, _ connection: borrowing Connection) -> Bool {
        connection.exchange?.head?.method != .head && !response.status.neverHasBody
    }

    /// Has the body made, and sends what comes of it; refuses where too many are being made already.
    mutating func sendStream(
        _ connection: inout Connection, _ response: Response, _ framing: ResponseFraming, keepsAlive: Bool
    ) {
        guard case .stream(_, let produce) = response.body else { preconditionFailure("only streams are made while they are sent") }
        let (cookie, mailbox, log) = (connection.cookie, context.mailbox, context.shared.log)
        let id = connection.exchange.map { "\($0.id)" } ?? ""
        let (clients, producers, client) = (context.shared.clients, context.shared.producers, connection.client)
        guard clients.takeStream(of: client) else { return send(&connection, overload.response, keepsAlive: keepsAlive) }
        // A slow client may keep its thread as long as nobody else needs it.
        let patience = ByteOutlet.Patience(limits.streamPatience) { !producers.hasWaitingJobs }
        let outlet = ByteOutlet(blockByteCount: limits.streamBlockBytes, blockCountMax: limits.streamBlocksMax, patience: patience) {
            mailbox.post(.bytesMade(cookie))
        }
        let (handler, instead) = (context.shared.handler, OtherAnswer())
        connection.exchange?.instead = instead
        let isTaken = producers.submit {
            // It waited in vain, and its answer was another.
            if outlet.isAbandoned { return clients.giveBackStream(of: client) }
            let writer = BodyWriter(outlet, framing: framing)
            var isWhole = false
            do {
                try produce(writer)
                try writer.finish()
                isWhole = true
            } catch {
                // Who went away, the access log says.
                if error as? ResponseBodyError != .unwanted {
                    log.error("The body of the answer \(id) could not be made, and is broken off: \(error)")
                    instead.set(handler.response(insteadOf: error))
                }
            }
            clients.giveBackStream(of: client)
            outlet.finish(isWhole: isWhole)
        }
        if isTaken { return send(&connection, response, keepsAlive: keepsAlive, framing: framing, outlet: outlet) }
        clients.giveBackStream(of: client)
        send(&connection, overload.response, keepsAlive: keepsAlive)
    }

    /// Nothing of a body was made in time, or it could not be begun, so nothing of its answer was sent: another is given instead.
    mutating func refuseStream(_ connection: inout Connection, _ other: Response) {
        connection.sender.abandon()
        connection.sender = ResponseSender(fileWindowBytes: limits.fileWindowBytes)
        send(&connection, other, keepsAlive: connection.machine.keepsAlive)
    }

    /// A producer has made something that its answer waited for.
    mutating func bytesMade(_ connection: inout Connection) {
        connection.sender.producerHasMore()
        if !connection.isRunnable { pump(&connection) }
    }
}

/// What its handler would have answered, had it known what the producer of the body met. Thread: the producer sets it, before it ends
/// the body; the loop reads it after that.
final class OtherAnswer: Sendable {
    private let found = Monitor<Response?>(nil)

    /// As long as nothing else was set: that there is a fault of ours.
    var response: Response {
        found.withLock { $0 } ?? Refusal(.internalServerError, "the server encountered an internal error").response
    }

    func set(_ response: Response?) { found.withLock { $0 = response } }
}
