/// What handlers, deadlines and the peer do to a connection, and what it waits for then.
extension ConnectionMachine {
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

    /// The request was given to a lane; its body has to be there in time where the lane's bodies are short.
    mutating func queued(on lane: Lane) { isBodyShort = lane.hasShortBodies }

    /// There is an answer, which is going to be sent now.
    ///
    /// - Parameter endsByClosing: its end is the connection's.
    /// - Returns: whether the connection is kept after it; the answer has to say so.
    mutating func replied(endsByClosing: Bool = false) -> Bool {
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
        if isDraining || hasPeerClosed || endsByClosing { keepsAlive = false }
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
            // Whoever reads a short body does nothing else, so that all the time is the client's.
            case .awaited where isBodyShort: isBodyComing && isBodyWanted ? .shortBody : nil
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
