import Crypto
import Platform

/// TLS over another transport: TCP, or what a proxy has opened.
final class TLSTransport: Transport {
    private struct State {
        let session: TLSSession
        /// Encrypted bytes at `sentCount..<unsentCount` that the connection has not taken yet.
        var unsent = [UInt8](repeating: 0, count: TLSTransport.bufferBytes)
        var sentCount = 0
        var unsentCount = 0
        /// Room for bytes that come, or that are read from a file.
        var room = [UInt8](repeating: 0, count: TLSTransport.bufferBytes)
        /// The other side has ended its bytes.
        var isEnded = false
        /// Why nothing can be sent any more. What has come may be read all the same: a server that refuses a request says so
        /// before it closes.
        var sendFailure: Errno?
    }

    private let carrier: any Transport
    /// One thread uses a transport at a time; which one may change.
    private let state: Monitor<State>

    /// Bytes that are encrypted, sent or received at once: four records.
    private static let bufferBytes = 4 * TLSSession.recordBytesMax

    /// Agrees with the server on keys, and believes it or not.
    ///
    /// - Parameters:
    ///   - server: whose host the certificate must name.
    ///   - timeout: for all of it.
    /// - Throws: `ClientError.untrusted` with the reason; `timedOut`; `disconnected`.
    init(over carrier: any Transport, to server: HTTPURL, trust: TLSTrust, timeout: Duration) throws(ClientError) {
        self.carrier = carrier
        let host = server.authority
        do throws(TLSError) {
            state = Monitor(State(session: try TLSSession(to: server.host, isAddress: server.hostIsAddress, trust: trust)))
        } catch { throw .untrusted(host: host, cause: error.description) }
        try shakeHands(host, until: .now + timeout)
    }

    /// The server should hear that this end was meant (RFC 8446, section 6.1); nobody waits for it.
    deinit {
        state.withLock { $0.session.end() }
        _ = try? flush(more: false)
    }

    private func shakeHands(_ host: String, until deadline: MonotonicTime) throws(ClientError) {
        let what = "agreeing on an encrypted connection"
        while true {
            let isDone: Bool
            do throws(TLSError) {
                isDone = try state.withLock { state throws(TLSError) in try state.session.shakeHands() }
            } catch {
                // The server should hear why.
                _ = try? flush(more: false)
                if case .cut = error { throw .disconnected(host: host, what: "while \(what)") }
                throw .untrusted(host: host, cause: error.description)
            }
            let ready: ClientSocket.Readiness
            do throws(Errno) {
                let isFlushed = try flush(more: false)
                if isDone && isFlushed { return }
                ready = try carrier.wait(for: isFlushed ? .readable : .writable, until: deadline)
                if ready.contains(.readable) { try fill() }
            } catch { throw .disconnected(host: host, what: "while \(what): \(error)") }
            if ready.isEmpty || MonotonicTime.now > deadline { throw .timedOut(host: host, what: what) }
        }
    }

    // MARK: Transport

    func wait(for interest: ClientSocket.Readiness, until deadline: MonotonicTime) throws(Errno) -> ClientSocket.Readiness {
        var hasFilled = false
        while true {
            let isBlocked = try !flush(more: false)
            if interest.contains(.readable), state.withLock({ $0.session.hasNews() }) { return .readable }
            // Keys and tickets without end are no news, either.
            if hasFilled, MonotonicTime.now >= deadline { return [] }
            // One that can send no more is ready to say so.
            if interest.contains(.writable), state.withLock({ $0.sendFailure != nil }) { return .writable }
            let found = try carrier.wait(for: isBlocked ? interest.union(.writable) : interest, until: deadline)
            if found.isEmpty { return [] }
            // What came may be no plain byte at all.
            if found.contains(.readable) {
                try fill()
                hasFilled = true
            }
            if found.contains(.writable), !isBlocked {
                let isReadable = interest.contains(.readable) && state.withLock { $0.session.hasNews() }
                return isReadable ? [.readable, .writable] : .writable
            }
        }
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
        if let count = try unsafe read(into: buffer) { return count }
        // Once: whoever sends what is no plain byte is waited for, and not listened to for ever.
        return try fill() ? try unsafe read(into: buffer) : nil
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
        do throws(TLSError) {
            return try state.withLock { state throws(TLSError) in try unsafe state.session.read(into: buffer) }
        } catch { throw .connectionReset }
    }

    func send(_ bytes: UnsafeRawBufferPointer, more: Bool) throws(Errno) -> Int? {
        guard try flushed() else { return nil }
        let taken = unsafe UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.bufferBytes))
        if taken.count == 0 { return 0 }
        do throws(TLSError) {
            try state.withLock { state throws(TLSError) in try unsafe state.session.write(taken) }
        } catch { throw .connectionReset }
        // What the connection does not take now goes with the next call, or with the next wait.
        _ = try flush(more: more)
        return taken.count
    }

    func sendFile(_ file: borrowing FileDescriptor, at offset: Int64, byteCountMax: Int) throws(Errno) -> Int? {
        guard try flushed() else { return nil }
        var room = state.withLock { state in
            let room = state.room
            state.room = []
            return room
        }
        defer { state.withLock { [room] state in state.room = room } }
        let most = min(byteCountMax, room.count)
        var span = room.mutableSpan
        let count = try unsafe span.withUnsafeMutableBytes { buffer throws(Errno) in
            try unsafe file.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<most]))
        }
        if count == 0 { return 0 }
        return try unsafe room.span.withUnsafeBytes { buffer throws(Errno) in
            try unsafe send(UnsafeRawBufferPointer(rebasing: buffer[..<count]), more: true)
        }
    }

    // MARK: Between session and connection

    /// Whether everything is sent; throws where nothing can be any more.
    private func flushed() throws(Errno) -> Bool {
        let isFlushed = try flush(more: true)
        if let failure = state.withLock({ $0.sendFailure }) { throw failure }
        return isFlushed
    }

    /// Sends what waits; false where something waits still. A connection that takes nothing more is noted.
    private func flush(more: Bool) throws(Errno) -> Bool {
        let carrier = carrier
        return state.withLock { state in
            while state.sendFailure == nil {
                if state.sentCount == state.unsentCount {
                    state.sentCount = 0
                    state.unsentCount = unsafe state.unsent.withUnsafeMutableBytes { unsafe state.session.take(into: $0) }
                    if state.unsentCount == 0 { return true }
                }
                do throws(Errno) {
                    let (start, end) = (state.sentCount, state.unsentCount)
                    let sent = try unsafe state.unsent.span.withUnsafeBytes { bytes throws(Errno) in
                        try unsafe carrier.send(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), more: more)
                    }
                    guard let sent else { return false }
                    state.sentCount += sent
                } catch { state.sendFailure = error }
            }
            return true
        }
    }

    /// Feeds the session with what is there; whether anything was.
    @discardableResult
    private func fill() throws(Errno) -> Bool {
        let carrier = carrier
        return try state.withLock { state throws(Errno) in
            if state.isEnded { return false }
            var span = state.room.mutableSpan
            let count = try unsafe span.withUnsafeMutableBytes { buffer throws(Errno) in
                try unsafe carrier.receive(into: buffer)
            }
            guard let count else { return false }
            if count == 0 {
                state.isEnded = true
                state.session.feedEnd()
            } else {
                unsafe state.room.withUnsafeBytes { unsafe state.session.feed(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            }
            return true
        }
    }
}
