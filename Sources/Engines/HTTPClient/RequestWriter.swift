import HTTP
import Platform

/// Sends a request over a connection, and watches for an answer that comes before it is sent whole.
///
/// Thread: the one that sends the request. Small pieces are gathered and leave together; large ones leave as they are,
/// without a copy.
package final class RequestWriter {
    /// Below this, a piece is copied rather than sent by itself.
    private static let gatherBytes = 64 << 10
    /// Bytes of a file that are sent at once, between two looks at what the server says.
    private static let fileBytesAtOnce = 1 << 20

    private let transport: any Transport
    private let reader: AnswerReader
    private let host: String
    private let silence: Duration
    private let byteCount: Int64?
    private var pending: [UInt8]
    private var written: Int64 = 0
    /// Why nothing more is sent. The first reason stays.
    private(set) var stop: Stop?

    /// Why sending ends before the request does.
    enum Stop: Error {
        /// The final head has come: the server has heard enough.
        case answered
        case failed(ClientError)
    }

    /// - Parameters:
    ///   - head: of the request; it leaves with the first bytes of the body.
    ///   - byteCount: announced with Content-Length; nil sends chunks.
    init(
        transport: any Transport, reader: AnswerReader, host: String, silence: Duration, head: [UInt8],
        byteCount: Int64?
    ) {
        self.transport = transport
        self.reader = reader
        self.host = host
        self.silence = silence
        self.byteCount = byteCount
        pending = head
    }

    // MARK: For whoever makes the body

    /// Takes the next bytes of the body.
    ///
    /// - Throws: where there is no use in going on, because the server has answered or the connection has ended. The
    ///   maker of the body lets this error through; what becomes of the request is decided elsewhere.
    package func write(_ bytes: UnsafeRawBufferPointer) throws { try unsafe append(bytes) }

    /// Takes the next bytes of the body; throws as the other `write` does.
    package func write(_ bytes: [UInt8]) throws { try append(bytes) }

    /// Takes the first `byteCount` bytes of a file as the next of the body, straight from the file system's memory.
    ///
    /// - Parameter progress: told how many of them have gone.
    /// - Returns: how many bytes the file had, at most `byteCount`. With fewer the body is short, which its maker has to tell.
    /// - Throws: as `write` does.
    package func write(
        _ file: borrowing FileDescriptor, byteCount: Int64, progress: (Int64) -> Void = { _ in }
    ) throws -> Int64 {
        if byteCount == 0 { return 0 }
        try begin(byteCount: byteCount)
        try sendPending(more: true)
        var sent: Int64 = 0
        while sent < byteCount {
            let most = Int(min(byteCount - sent, Int64(Self.fileBytesAtOnce)))
            let count = try sendingSome { transport throws(Errno) in
                try transport.sendFile(file, at: sent, byteCountMax: most)
            }
            if count == 0 { break }
            sent += Int64(count)
            progress(sent)
        }
        if self.byteCount == nil { pending += ChunkedEncoder.suffix }
        return sent
    }

    /// Sends what has been gathered: for a body that is made slowly.
    package func flush() throws { try sendPending(more: false) }

    // MARK: For the exchange

    func append(_ bytes: [UInt8]) throws(Stop) {
        try unsafe bytes.span.withUnsafeBytes { raw throws(Stop) in try unsafe append(raw) }
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws(Stop) {
        if let stop { throw stop }
        if bytes.count == 0 { return }
        try begin(byteCount: Int64(bytes.count))
        if pending.count + bytes.count <= Self.gatherBytes {
            unsafe pending.append(contentsOf: bytes)
        } else {
            try sendPending(more: true)
            try unsafe send(bytes, more: false)
        }
        if byteCount == nil { pending += ChunkedEncoder.suffix }
    }

    /// Counts the next bytes of the body, and puts before them what the coding wants.
    private func begin(byteCount count: Int64) throws(Stop) {
        if let stop { throw stop }
        written += count
        if let byteCount, written > byteCount {
            throw end(.failed(.bodyFailed(BodyLengthMismatch(announced: byteCount, written: written))))
        }
        if byteCount == nil { pending += ChunkedEncoder.prefix(byteCount: Int(count)) }
    }

    /// Sends the head alone and waits for leave to send the body; no longer than `limit`.
    func waitForLeave(_ limit: Duration) throws(Stop) {
        try sendPending(more: false)
        let deadline = MonotonicTime.now + limit
        while !reader.mayContinue {
            if try ready(for: .readable, until: deadline).isEmpty { return }
            try lookForAnswer()
        }
    }

    /// Ends the body.
    func finish() throws(Stop) {
        if let stop { throw stop }
        if let byteCount, written != byteCount {
            throw end(.failed(.bodyFailed(BodyLengthMismatch(announced: byteCount, written: written))))
        }
        if byteCount == nil { pending += ChunkedEncoder.end }
        try sendPending(more: false)
    }

    private func sendPending(more: Bool) throws(Stop) {
        if let stop { throw stop }
        let bytes = pending
        pending = []
        try unsafe bytes.span.withUnsafeBytes { raw throws(Stop) in try unsafe send(raw, more: more) }
    }

    private func send(_ bytes: UnsafeRawBufferPointer, more: Bool) throws(Stop) {
        var sent = 0
        while sent < bytes.count {
            sent += try sendingSome { transport throws(Errno) in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[sent...])
                return try unsafe transport.send(rest, more: more)
            }
        }
    }

    /// Waits until the connection takes something, and has it sent; how much. What the server says meanwhile is heard.
    private func sendingSome(
        _ send: (any Transport) throws(Errno) -> Int?
    ) throws(Stop) -> Int {
        while true {
            let now = try ready(for: [.readable, .writable], until: .now + silence)
            if now.isEmpty { throw end(.failed(.timedOut(host: host, what: "sending the request"))) }
            // First: an answer that is there already makes the rest of the body useless.
            if now.contains(.readable) { try lookForAnswer() }
            guard now.contains(.writable) else { continue }
            do throws(Errno) {
                if let count = try send(transport) { return count }
            } catch {
                throw lastWords(error)
            }
        }
    }

    /// Receives what has come; throws where that is the answer, or the end.
    private func lookForAnswer() throws(Stop) {
        let isOpen: Bool
        do throws(ClientError) { isOpen = try reader.lookForHead() } catch { throw end(.failed(error)) }
        if reader.head != nil { throw end(.answered) }
        if !isOpen { throw end(.failed(.disconnected(host: host, what: "while the request was sent"))) }
    }

    /// What a connection that takes no more bytes has still to say: a server that refuses a body answers and closes,
    /// and the refusal lies in front of the end.
    private func lastWords(_ cause: Errno) -> Stop {
        while true {
            do throws(Stop) {
                if try ready(for: .readable, until: .now + silence).isEmpty {
                    return end(.failed(.disconnected(host: host, what: cause.description)))
                }
                try lookForAnswer()
            } catch {
                return error
            }
        }
    }

    private func ready(
        for interest: ClientSocket.Readiness, until deadline: MonotonicTime
    ) throws(Stop) -> ClientSocket.Readiness {
        do throws(Errno) { return try transport.wait(for: interest, until: deadline) } catch {
            throw end(.failed(.disconnected(host: host, what: error.description)))
        }
    }

    private func end(_ reason: Stop) -> Stop {
        stop = stop ?? reason
        return stop ?? reason
    }
}
