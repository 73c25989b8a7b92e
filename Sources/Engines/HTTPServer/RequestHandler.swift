import HTTP
import Platform

/// What answers requests. The server knows sockets and threads; a handler knows what is asked for.
///
/// For each request the server asks first whether there is an answer at once; where there is none, it runs `respond`
/// on a thread of the lane that the handler names. A lane whose queue is full answers 503 with Retry-After by itself.
package protocol RequestHandler: AnyObject, Sendable {
    /// An answer out of memory, or nil: then `respond` is called on the lane.
    ///
    /// Thread: loop. It must not block, read files or take a lock that another thread holds for long.
    ///
    /// - Parameter now: when the loop's turn began.
    func answerAtOnce(_ head: RequestHead, at now: MonotonicTime) -> Response?

    /// Which threads are to run `respond` for this request. Thread: loop; must not block.
    func lane(for head: RequestHead) -> Lane

    /// Answers a request. Thread: one of the lane's; it may block, on the body too.
    func respond(to request: Request) -> Response

    /// A part of a file of an answer could not be read while it was sent, or was not there any more: the connection was broken off.
    /// Thread: reader; it may block on the disk.
    func couldNotSend(_ part: FileExtent, for head: RequestHead)

    /// What is answered where a body could not even be begun (`ResponseBody.stream`), by what its producer threw; nil for a 500.
    /// Thread: the producer's.
    func response(insteadOf error: any Error) -> Response?
}

extension RequestHandler {
    package func answerAtOnce(_ head: RequestHead, at now: MonotonicTime) -> Response? { nil }
    package func couldNotSend(_ part: FileExtent, for head: RequestHead) {}
    package func response(insteadOf error: any Error) -> Response? { nil }
}

/// The kinds of threads that run handlers.
package enum Lane: Hashable, Sendable, CaseIterable {
    /// Few threads, for what is over within milliseconds: nothing that waits for a client, so no bodies.
    case query
    /// Some threads for short bodies, read whole: a client that is slow to send one keeps no query waiting.
    case document
    /// Some threads for what anyone may read and takes a body, or many milliseconds: strangers keep no document waiting.
    case reading
    /// Some threads for what has to ask another machine before it is answered: where that is slow, or away, nothing else waits for it.
    case fetching
    /// A bounded number of threads, each busy with one long body.
    case transfer

    /// Whether a body has `Limits.shortBodyTime` to arrive; else it must only go on.
    var hasShortBodies: Bool { self != .transfer }

    /// Whether a request waits for its whole body before it gets a thread: strangers who are slow to send one hold none.
    var takesWholeBodies: Bool { self == .reading }
}
