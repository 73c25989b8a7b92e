import HTTP
import Platform

/// What a loop keeps of one connection. Buffers are lent to it only while something waits in them.
///
/// A struct that is handed on `inout`: of a class, each property would be checked for overlapping access each time it is
/// touched, which was a fifth of what a request cost.
///
/// Thread: loop.
struct Connection: ~Copyable {
    let cookie: Cookie
    let socket: FileDescriptor
    let peer: SocketAddress
    /// Who is held to a share; nil for a proxy.
    let client: HostAddress?
    var machine: ConnectionMachine
    var sender: ResponseSender
    /// What was read and could not be used yet; nil where nothing was.
    var kept: ReadBuffer?

    /// Readiness as epoll told it, until a call finds otherwise.
    var isReadable = false
    var isWritable = true
    /// The peer has ended: reads go on until they find it, however short they are.
    var isHalfClosed = false
    /// Epoll does not tell of bytes that come, since there is no room for them.
    var isHeldBack = false
    /// Waits in the list of those that used up their turn.
    var isRunnable = false
    var isClosed = false

    var exchange: Exchange?
    /// For which request the deadline was set.
    var deadlineRequest = 0
    /// Bytes of the request's body that had come, and of its answer that had been sent, when the deadline was set.
    var deadlineByteCounts: (received: Int64, sent: Int64) = (0, 0)

    init(cookie: Cookie, socket: consuming FileDescriptor, peer: SocketAddress, client: HostAddress?, limits: Limits) {
        self.cookie = cookie
        self.socket = socket
        self.peer = peer
        self.client = client
        machine = ConnectionMachine(limits: limits)
        sender = ResponseSender(fileWindowBytes: limits.fileWindowBytes)
    }

    /// Bytes of a body that its handler's pipe takes now.
    var bodyRoom: Int {
        guard let pipe = exchange?.pipe else { return 0 }
        let unasked = machine.bodyBytesUnasked ?? .max
        // A pipe that is asked without need would ring later for nothing.
        return unasked == 0 ? 0 : min(pipe.room(), unasked)
    }

    /// One request under way and its answer.
    struct Exchange {
        let id: RequestID
        let head: RequestHead?
        let began: MonotonicTime
        let time: WallTime
        /// Where the body goes; nil without one.
        var pipe: BytePipe<RequestBodyError>?
        /// Of the answer, once there is one.
        var status: Status?
        /// The client went away before its request had come whole, or before there was an answer.
        var isAbandoned = false
        var sentByteCount: Int64 = 0
        /// In memory, of its body and of the answer's: those that are counted, since a slow client holds them.
        var heldByteCount = 0
        /// Waits for its body, then for a thread.
        var waiting: (request: Request, lane: Lane)?
        /// What the answer rests on.
        var permit: (any Permit)?
        /// What is answered instead, where its body is a stream that could not be begun.
        var instead: OtherAnswer?
    }
}

/// The place of a connection in its loop's table: it stays where it is while the connection is handed on `inout`.
///
/// Thread: loop.
final class Seat {
    var connection: Connection
    init(_ connection: consuming Connection) { self.connection = connection }
}
