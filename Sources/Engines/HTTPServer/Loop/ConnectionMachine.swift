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
/// whoever performs the actions, and shown again. Here is what bytes do to it; `ConnectionMachine+Events` has the rest.
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
        /// Answer this. For the machine it is answered already.
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

    enum Body {
        case ended
        case length(remaining: Int64)
        case chunked(ChunkedDecoder)
        /// Nothing of it is of use any more.
        case failed
    }

    enum Reply { case awaited, sending, sent }

    // Nothing outside the two files of the machine changes these.
    let limits: Limits
    private var parser: RequestParser
    var phase = Phase.idle
    var body = Body.ended
    var reply = Reply.sent
    var keepsAlive = true
    /// The client waits for `100 Continue`, and has not been sent it.
    var owesContinue = false
    /// The handler has begun to read.
    var isBodyWanted = false
    /// The body has a time for all of it, however it goes on.
    var isBodyShort = false
    var bodyByteCount: Int64 = 0
    var isDiscarding = false
    var hasPeerClosed = false
    var isDraining = false
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
    ///   - space: where a head finds room.
    /// - Returns: how many of the bytes were taken, and what to do. Call it again with the rest, until it takes nothing
    ///   and says `wait`.
    mutating func received(
        _ bytes: UnsafeRawBufferPointer, bodyRoom: Int, space: inout HeadSpace
    ) -> (consumed: Int, action: Action) {
        switch phase {
        case .idle, .head: return unsafe receivedHead(bytes, &space)
        case .exchange: return unsafe receivedBody(bytes, room: bodyRoom)
        case .lingering, .closed: return (bytes.count, .wait)
        }
    }

    private mutating func receivedHead(
        _ bytes: UnsafeRawBufferPointer, _ space: inout HeadSpace
    ) -> (consumed: Int, action: Action) {
        if unsafe bytes.isEmpty { return (0, .wait) }
        do throws(ParseError) {
            switch try unsafe parser.parse(bytes, space: &space) {
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
        isBodyShort = false
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

    /// How many of the next bytes are the body's own, whatever they are, and can be handed on now: those of a body whose
    /// length was announced. They need not be shown to the machine, only counted (`tookBody`).
    func plainBodyBytes(bodyRoom: Int) -> Int {
        guard phase == .exchange, !isDiscarding, case .length(let remaining) = body else { return 0 }
        return Int(min(Int64(bodyRoom), remaining))
    }

    /// So many bytes of the body were handed on without being shown here.
    mutating func tookBody(_ count: Int) {
        guard case .length(let remaining) = body, Int64(count) <= remaining else {
            preconditionFailure("only bytes of an announced body are taken unseen")
        }
        body = .length(remaining: remaining - Int64(count))
        bodyByteCount += Int64(count)
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

    mutating func failBody(_ error: RequestBodyError) -> Action {
        body = .failed
        keepsAlive = false
        return isDiscarding ? .wait : .failBody(error)
    }

    mutating func refuse(_ refusal: Refusal) -> Action {
        phase = .exchange
        body = .failed
        isDiscarding = true
        keepsAlive = false
        reply = .sending
        return .refuse(refusal)
    }
}
