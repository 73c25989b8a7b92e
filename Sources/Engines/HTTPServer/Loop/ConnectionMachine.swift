import HTTP

/// One connection as a pure state machine: it is told what happened and answers what to do; it holds no descriptor,
/// no buffer and no clock.
///
///     idle -> head -> exchange -> idle …          while the connection is kept
///                        |
///                        +-----> lingering        after the last answer: read and drop until the client ends
///
/// In an exchange two things go on side by side: the request's body comes in, and the answer goes out. The next request
/// is looked at when both are over, so answers keep the order of their requests; what was read too early is kept by
/// whoever performs the actions, and shown again.
struct ConnectionMachine {
    enum Phase: Equatable { case idle, head, exchange, lingering, closed }

    /// What to do next.
    enum Action {
        /// Nothing: show more bytes when there are some, or when something else has happened.
        case wait
        /// A request has begun: hand it on.
        case begin(RequestHead)
        /// These bytes, by their offsets among those shown, belong to the body: hand them on.
        case body(Range<Int>)
        case endOfBody
        /// The body will not be whole: tell whoever reads it.
        case failBody(RequestBodyError)
        /// Answer this; `reply` has been called already.
        case refuse(Refusal)
        /// Close at once.
        case close
    }

    /// What follows an answer that has been sent.
    enum Sequel: Equatable {
        /// Show what was kept: the next request may be in it.
        case next
        /// Say that no more follows (shutdown), then read and drop.
        case linger
        case close
    }

    private enum Body {
        case ended
        case length(remaining: Int64)
        case chunked(ChunkedDecoder)
        /// Nothing of it is of use any more.
        case failed
    }

    private enum Reply { case awaited, sending, sent }

    private let limits: Limits
    private var parser: RequestParser
    private(set) var phase = Phase.idle
    private var body = Body.ended
    private var reply = Reply.sent
    private var keepsAlive = true
    /// The client waits for `100 Continue`, and has not been sent it.
    private var owesContinue = false
    /// The handler has begun to read.
    private var isBodyWanted = false
    private var bodyByteCount: Int64 = 0
    private var isDiscarding = false
    private var hasPeerClosed = false
    private var isDraining = false
    /// Requests so far; tells one exchange from the next.
    private(set) var requestCount = 0

    init(limits: Limits) {
        self.limits = limits
        parser = RequestParser(limits: limits.head)
    }

    // MARK: Bytes

    /// Looks at bytes that have come, those that were not taken before first.
    ///
    /// - Parameters:
    ///   - bytes: what is there; may be empty.
    ///   - bodyRoom: bytes of a body that can be handed on now.
    /// - Returns: how many of the bytes were taken, and what to do. Call it again with the rest, until it takes nothing
    ///   and says `wait`.
    mutating func received(_ bytes: UnsafeRawBufferPointer, bodyRoom: Int) -> (consumed: Int, action: Action) {
        switch phase {
        case .idle, .head: return unsafe receivedHead(bytes)
        case .exchange: return unsafe receivedBody(bytes, room: bodyRoom)
        case .lingering, .closed: return (bytes.count, .wait)
        }
    }

    private mutating func receivedHead(_ bytes: UnsafeRawBufferPointer) -> (consumed: Int, action: Action) {
        if unsafe bytes.isEmpty { return (0, .wait) }
        do throws(ParseError) {
            switch try unsafe parser.parse(bytes) {
            case .incomplete:
                phase = .head
                return (0, .wait)
            case .head(let head, let byteCount):
                return (byteCount, begin(head))
            }
        } catch { return (0, refuse(Refusal(error))) }
    }

    private mutating func begin(_ head: RequestHead) -> Action {
        requestCount += 1
        phase = .exchange
        reply = .awaited
        keepsAlive = head.keepsAlive
        owesContinue = head.expectsContinue
        isBodyWanted = false
        isDiscarding = false
        bodyByteCount = 0
        switch head.bodyFraming {
        case .none, .contentLength(0): body = .ended
        case .contentLength(let count):
            if count > limits.bodyBytesMax {
                return refuse(Refusal(.contentTooLarge, "the request's body is longer than \(limits.bodyBytesMax) bytes"))
            }
            body = .length(remaining: count)
        case .chunked: body = .chunked(ChunkedDecoder())
        }
        if isDraining {
            return refuse(Refusal(
                .serviceUnavailable, "the server is being stopped", retryAfterSeconds: limits.retryAfterSeconds))
        }
        return .begin(head)
    }

    private mutating func receivedBody(
        _ bytes: UnsafeRawBufferPointer, room: Int
    ) -> (consumed: Int, action: Action) {
        switch body {
        case .ended:
            return (0, .wait)
        case .failed:
            // Once the answer is on its way, or out, there is nothing that the rest could be good for.
            return (reply == .awaited ? 0 : bytes.count, .wait)
        case .length(let remaining):
            if remaining == 0 { return (0, endBody()) }
            let count = Int(min(Int64(isDiscarding ? bytes.count : min(bytes.count, room)), remaining))
            if count == 0 { return (0, .wait) }
            body = .length(remaining: remaining - Int64(count))
            bodyByteCount += Int64(count)
            if !isDiscarding { return (count, .body(0..<count)) }
            return (count, remaining == Int64(count) ? endBody() : .wait)
        case .chunked(var decoder):
            // Coded bytes are never fewer than the data in them, so what is looked at fits.
            let shown = unsafe UnsafeRawBufferPointer(rebasing: isDiscarding ? bytes[...] : bytes.prefix(room))
            let result = unsafe decode(&decoder, shown)
            if case .chunked = body { body = .chunked(decoder) }
            return result
        }
    }

    private mutating func decode(
        _ decoder: inout ChunkedDecoder, _ bytes: UnsafeRawBufferPointer
    ) -> (consumed: Int, action: Action) {
        var position = 0
        while true {
            do throws(ChunkedError) {
                switch try unsafe decoder.next(bytes, at: &position) {
                case .data(let range):
                    bodyByteCount += Int64(range.count)
                    if bodyByteCount > limits.bodyBytesMax {
                        return (position, failBody(.tooLarge(byteCountMax: limits.bodyBytesMax)))
                    }
                    if !isDiscarding { return (position, .body(range)) }
                case .needsMore: return (position, .wait)
                case .end: return (position, endBody())
                }
            } catch { return (position, failBody(.malformed(error.description))) }
        }
    }

    private mutating func endBody() -> Action {
        body = .ended
        if reply == .sent && keepsAlive {
            phase = isDraining ? .closed : .idle
            if isDraining { return .close }
        }
        return isDiscarding ? .wait : .endOfBody
    }

    private mutating func failBody(_ error: RequestBodyError) -> Action {
        body = .failed
        keepsAlive = false
        return isDiscarding ? .wait : .failBody(error)
    }

    private mutating func refuse(_ refusal: Refusal) -> Action {
        phase = .exchange
        body = .failed
        isDiscarding = true
        keepsAlive = false
        reply = .sending
        return .refuse(refusal)
    }

    // MARK: The handler

    /// The handler reads the body for the first time.
    ///
    /// - Returns: true where `100 Continue` has to be sent now (RFC 9110, section 10.1.1).
    mutating func bodyWanted() -> Bool {
        guard phase == .exchange, reply == .awaited else { return false }
        isBodyWanted = true
        guard owesContinue, bodyByteCount == 0, isBodyComing else { return false }
        owesContinue = false
        return true
    }

    /// There is an answer, which is going to be sent now.
    ///
    /// - Returns: whether the connection is kept after it; the answer has to say so.
    mutating func replied() -> Bool {
        precondition(phase == .exchange && reply == .awaited, "an answer without a request")
        reply = .sending
        isDiscarding = true
        switch body {
        case .ended: break
        case .length(let remaining):
            // A client that was told to wait may send its body now or never: what comes next could be either.
            if owesContinue && bodyByteCount == 0 || remaining > limits.discardedBytesMax { keepsAlive = false }
        case .chunked, .failed: keepsAlive = false
        }
        if isDraining || hasPeerClosed { keepsAlive = false }
        return keepsAlive
    }

    /// The answer has been given to the kernel, all of it.
    mutating func replySent() -> Sequel {
        precondition(phase == .exchange && reply == .sending, "an answer was sent that nobody gave")
        reply = .sent
        if keepsAlive && !hasPeerClosed {
            if case .ended = body { phase = .idle }
            if case .length(remaining: 0) = body { (body, phase) = (.ended, .idle) }
            if phase == .idle && isDraining { return close() }
            return .next
        }
        if hasPeerClosed { return close() }
        phase = .lingering
        return .linger
    }

    private mutating func close() -> Sequel {
        phase = .closed
        return .close
    }

    // MARK: Other events

    /// The client has ended its direction; it may still read.
    mutating func peerClosed() -> Action {
        hasPeerClosed = true
        switch phase {
        case .head: return refuse(Refusal(.truncated))
        case .exchange:
            keepsAlive = false
            if reply == .sent { break }
            return isBodyComing ? failBody(.disconnected) : .wait
        case .idle, .lingering, .closed: break
        }
        phase = .closed
        return .close
    }

    /// The deadline that `deadline` named has passed without what it waited for.
    mutating func expired() -> Action {
        switch phase {
        case .head: return refuse(Refusal(.requestTimeout, "the request's head did not come in time"))
        case .exchange where reply == .awaited && isBodyComing: return failBody(.timedOut)
        case .exchange where reply == .awaited: return .wait
        case .idle, .exchange, .lingering, .closed:
            phase = .closed
            return .close
        }
    }

    /// The server is being stopped: no more requests after those that have begun.
    mutating func drain() -> Action {
        isDraining = true
        guard phase == .idle else { return .wait }
        phase = .closed
        return .close
    }

    // MARK: Questions

    private var isBodyComing: Bool {
        switch body {
        case .length(let remaining): remaining > 0
        case .chunked: true
        case .ended, .failed: false
        }
    }

    /// Whether bytes should be read from the client now; not reading is how it is held back.
    func wantsBytes(bodyRoom: Int) -> Bool {
        switch phase {
        case .idle, .head, .lingering: true
        case .exchange where reply == .awaited: isBodyComing && bodyRoom > 0
        case .exchange: isBodyComing
        case .closed: false
        }
    }

    /// Bytes of the body that may be taken in before its handler has asked for any; nil when it has.
    var bodyBytesUnasked: Int? {
        isBodyWanted ? nil : max(0, limits.bodyBytesBeforeFirstRead - Int(clamping: bodyByteCount))
    }

    /// What the connection waits for, for whose deadline somebody has to care.
    func deadline(bodyRoom: Int) -> DeadlineClass? {
        switch phase {
        case .idle: .idle
        case .head: .head
        case .exchange:
            switch reply {
            // A client that could not send is not late.
            case .awaited: isBodyComing && isBodyWanted && bodyRoom > 0 ? .bodyProgress : nil
            case .sending: .writeProgress
            case .sent: .bodyProgress
            }
        case .lingering: .linger
        case .closed: nil
        }
    }
}
