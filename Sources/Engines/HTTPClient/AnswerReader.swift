import HTTP
import Platform

/// Reads what comes back over one connection: interim heads, the answer's head, its body.
///
/// Thread: the one that sends the request. The buffer's bytes at `start..<end` have come and are not used yet.
final class AnswerReader {
    /// Also the largest piece that a receiver is handed.
    private static let bufferBytes = 128 << 10
    private static let limits = HeadLimits(headBytesMax: 64 << 10, headerCountMax: 200)
    /// A server that goes on promising an answer never gives one.
    private static let interimMax = 32

    private let transport: any Transport
    private let host: String
    private let silence: Duration
    private let answerTime: Duration
    /// When an answer that is kept in memory must be whole; set with its first byte.
    private var deadline: MonotonicTime?
    private var buffer = [UInt8](repeating: 0, count: AnswerReader.bufferBytes)
    private var start = 0
    private var end = 0
    private var parser = ResponseParser(limits: AnswerReader.limits)
    private var interimCount = 0

    /// The final head, once it has come.
    private(set) var head: ResponseHead?
    /// `100 Continue` has come.
    private(set) var mayContinue = false
    /// Something has come, so the server has seen the request.
    private(set) var hasBytes = false
    /// Nothing is left over; a kept connection must have nothing under way.
    var isEmpty: Bool { start == end }

    /// - Parameter answerTime: for a whole answer, from its first byte on; one that is handed on piece by piece has it for its head.
    ///   A byte now and then is no silence, and would hold a thread for years.
    init(transport: any Transport, host: String, silence: Duration, answerTime: Duration) {
        self.transport = transport
        self.host = host
        self.silence = silence
        self.answerTime = answerTime
    }

    /// Lets the rest of the answer take as long as it takes.
    func takeTime() { deadline = MonotonicTime(nanoseconds: .max) }

    // MARK: Heads

    /// Receives what is there without waiting, and looks for heads in it.
    ///
    /// - Returns: false where the connection has ended.
    func lookForHead() throws(ClientError) -> Bool {
        let received = try receiveSome()
        if received == .end { return false }
        try parseHeads()
        return true
    }

    /// Waits for the final head.
    func waitForHead() throws(ClientError) -> ResponseHead {
        while true {
            if let head { return head }
            try waitReadable("waiting for the answer")
            if try lookForHead() { continue }
            throw .disconnected(host: host, what: hasBytes ? "in the answer's head" : "before the answer")
        }
    }

    private func parseHeads() throws(ClientError) {
        while head == nil, start < end {
            let outcome: ResponseParser.Outcome
            do throws(ParseError) {
                outcome = try unsafe buffer.span.extracting(start..<end).withUnsafeBytes { bytes throws(ParseError) in
                    try unsafe parser.parse(bytes)
                }
            } catch { throw .malformed(host: host, reason: error.description) }
            guard case .head(let found, let byteCount) = outcome else { return }
            start += byteCount
            if !found.status.isInterim {
                head = found
                return
            }
            // RFC 9110, section 15.2: unexpected interim answers are skipped; 101 would be an answer to Upgrade.
            if found.status.code == 101 { throw .malformed(host: host, reason: "it switches protocols unasked") }
            if found.status.code == 100 { mayContinue = true }
            // The answer itself begins after it, and be it after a body of hours.
            deadline = start < end ? .now + answerTime : nil
            interimCount += 1
            if interimCount > Self.interimMax { throw .malformed(host: host, reason: "too many interim answers") }
        }
    }

    // MARK: Body

    /// Reads the body to its end and hands it on piece by piece.
    func readBody(
        _ framing: ResponseFraming, _ take: (UnsafeRawBufferPointer) throws(ClientError) -> Void
    ) throws(ClientError) {
        switch framing {
        case .none: return
        case .contentLength(let byteCount):
            var left = byteCount
            while left > 0 {
                if start == end { try needMore() }
                let count = Int(min(left, Int64(end - start)))
                try unsafe hand(start..<start + count, take)
                start += count
                left -= Int64(count)
            }
        case .untilClose:
            while true {
                if start < end {
                    try unsafe hand(start..<end, take)
                    start = end
                }
                try waitReadable("reading the answer's body")
                if try receiveSome() == .end { return }
            }
        case .chunked: try unsafe readChunked(take)
        }
    }

    private func readChunked(_ take: (UnsafeRawBufferPointer) throws(ClientError) -> Void) throws(ClientError) {
        var decoder = ChunkedDecoder()
        while true {
            if start == end { try needMore() }
            let event: ChunkedDecoder.Event
            var position = 0
            do throws(ChunkedError) {
                event = try unsafe buffer.span.extracting(start..<end).withUnsafeBytes { bytes throws(ChunkedError) in
                    try unsafe decoder.next(bytes, at: &position)
                }
            } catch { throw .malformed(host: host, reason: error.description) }
            if case .data(let range) = event {
                try unsafe hand(start + range.lowerBound..<start + range.upperBound, take)
            }
            start += position
            // The end is seen with its last byte or after it, and then nothing more is needed.
            if decoder.hasEnded { return }
        }
    }

    private func hand(
        _ range: Range<Int>, _ take: (UnsafeRawBufferPointer) throws(ClientError) -> Void
    ) throws(ClientError) {
        let buffer = buffer
        try unsafe buffer.span.extracting(range).withUnsafeBytes { bytes throws(ClientError) in try unsafe take(bytes) }
    }

    private func needMore() throws(ClientError) {
        while true {
            try waitReadable("reading the answer's body")
            switch try receiveSome() {
            case .some: return
            case .nothing: continue
            case .end: throw .disconnected(host: host, what: "in the answer's body")
            }
        }
    }

    // MARK: Bytes

    private enum Received { case some, nothing, end }

    private func receiveSome() throws(ClientError) -> Received {
        if start > 0 {
            // What is left of a head moves to the front, where the parser looks for its first byte again.
            buffer.replaceSubrange(0..<end - start, with: Array(buffer[start..<end]))
            (start, end) = (0, end - start)
        }
        let used = end
        let count: Int?
        do throws(Errno) {
            var span = buffer.mutableSpan
            count = try unsafe span.withUnsafeMutableBytes { bytes throws(Errno) in
                try unsafe transport.receive(into: UnsafeMutableRawBufferPointer(rebasing: bytes[used...]))
            }
        } catch {
            throw .disconnected(host: host, what: error.description)
        }
        guard let count else { return .nothing }
        if count == 0 { return .end }
        hasBytes = true
        deadline = deadline ?? .now + answerTime
        end += count
        return .some
    }

    private func waitReadable(_ what: String) throws(ClientError) {
        let limit = MonotonicTime.now + silence
        do throws(Errno) {
            if try transport.wait(for: .readable, until: min(limit, deadline ?? limit)).isEmpty { throw Errno.timedOut }
            if let deadline, MonotonicTime.now > deadline { throw Errno.timedOut }
        } catch {
            if error == .timedOut { throw .timedOut(host: host, what: what) }
            throw .disconnected(host: host, what: error.description)
        }
    }
}
