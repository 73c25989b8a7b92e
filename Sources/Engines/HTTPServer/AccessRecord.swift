import HTTP
import Platform

/// One line of the access log: what was asked for, and what came of it.
///
/// Made on a loop, so it holds values and makes no text; that is for whoever writes the log.
package struct AccessRecord: Sendable {
    /// When the request's head was there.
    package let time: WallTime
    /// From then until the last byte of the answer had been given to the kernel.
    package let duration: Duration
    package let peer: SocketAddress
    package let requestID: RequestID
    /// Nil where the head could not be understood.
    package let head: RequestHead?
    package let status: Status
    /// Bytes of the answer that were sent, its head counted.
    package let sentByteCount: Int64
    /// False where the client went away, or was too slow, before the answer was sent whole.
    package let isComplete: Bool

    package var remoteAddress: String { peer.host }
    package var method: String { head?.methodName ?? "-" }
    package var target: String { head?.target.description ?? "-" }
}
