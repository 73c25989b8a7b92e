import HTTP
import Platform

/// What a loop keeps of one connection. Buffers are lent to it only while something waits in them.
///
/// Thread: loop.
final class Connection {
    let cookie: Cookie
    let socket: FileDescriptor
    let peer: SocketAddress
    var machine: ConnectionMachine
    var sender = ResponseSender()
    /// What was read and could not be used yet; nil where nothing was.
    var kept: ReadBuffer?

    /// Readiness as epoll told it, until a call finds otherwise.
    var isReadable = false
    var isWritable = true
    /// The peer has ended: reads go on until they find it, however short they are.
    var isHalfClosed = false
    /// Waits in the list of those that used up their turn.
    var isRunnable = false
    var isClosed = false

    var exchange: Exchange?
    /// For which request the deadline was set.
    var deadlineRequest = 0

    init(cookie: Cookie, socket: consuming FileDescriptor, peer: SocketAddress, limits: Limits) {
        self.cookie = cookie
        self.socket = socket
        self.peer = peer
        machine = ConnectionMachine(limits: limits)
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
        var sentByteCount: Int64 = 0
    }
}

/// A buffer of a loop's pool. It fits a head of the largest size allowed.
///
/// Thread: loop.
final class ReadBuffer {
    var bytes: ByteBuffer
    init(capacity: Int) { bytes = ByteBuffer(capacity: capacity) }
}

/// Buffers that wait to be used again; some, so that a burst does not stay in memory for ever.
///
/// Thread: loop.
struct BufferPool {
    private var free: [ReadBuffer] = []
    let bufferBytes: Int
    private let keptMax = 32

    init(bufferBytes: Int) { self.bufferBytes = bufferBytes }

    mutating func take() -> ReadBuffer { free.popLast() ?? ReadBuffer(capacity: bufferBytes) }

    mutating func giveBack(_ buffer: ReadBuffer) {
        buffer.bytes.clear()
        if free.count < keptMax { free.append(buffer) }
    }
}
