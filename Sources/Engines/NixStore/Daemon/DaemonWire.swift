import Encoding
import Nix
import Platform

/// Words and strings over a daemon's socket, buffered both ways.
///
/// Thread: one at a time. Lengths from the other side are bounded before anything is allocated for them.
final class DaemonWire {
    /// The longest string that is taken: far above any error message or path.
    static let stringByteCountMax = 16 << 20
    /// The longest list: more than stores have paths.
    static let listCountMax = 10_000_000

    private let socket: FileDescriptor
    /// The socket's path, for errors.
    let subject: String
    private var outgoing: [UInt8] = []
    private var incoming = [UInt8](repeating: 0, count: 64 << 10)
    /// What of `incoming` was read from the socket and not yet taken.
    private var head = 0
    private var tail = 0

    /// - Parameter subject: the socket's path, for errors.
    init(_ socket: consuming FileDescriptor, subject: String) {
        self.socket = socket
        self.subject = subject
    }

    // MARK: To the daemon

    func put(_ word: UInt64) { NarTokens.append(length: Int64(bitPattern: word), to: &outgoing) }

    func put(_ text: String) { NarTokens.append(Array(text.utf8), to: &outgoing) }

    /// Sends what was put.
    func send() throws(NixStoreError) {
        do throws(Errno) {
            try unsafe outgoing.span.withUnsafeBytes { bytes throws(Errno) in
                var sent = 0
                while sent < bytes.count {
                    let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[sent...])
                    // The socket is blocking: nil does not come.
                    sent += try unsafe socket.send(rest, more: false) ?? 0
                }
            }
        } catch { throw .system(SystemError("write to", subject, error)) }
        outgoing.removeAll(keepingCapacity: true)
    }

    // MARK: From the daemon

    func word() throws(NixStoreError) -> UInt64 {
        while tail - head < 8 { try fill() }
        var word: UInt64 = 0
        for index in 0..<8 { word |= UInt64(incoming[head + index]) << UInt64(index * 8) }
        head += 8
        return word
    }

    /// How many elements follow.
    func count() throws(NixStoreError) -> Int {
        let count = try word()
        if count > UInt64(Self.listCountMax) { throw .daemonProtocol(reason: "a list of \(count) elements") }
        return Int(count)
    }

    func string() throws(NixStoreError) -> String {
        let byteCount = try word()
        if byteCount > UInt64(Self.stringByteCountMax) { throw .daemonProtocol(reason: "a string of \(byteCount) bytes") }
        let whole = Int(byteCount) + NarTokens.paddingByteCount(after: Int64(byteCount))
        var bytes: [UInt8] = []
        while bytes.count < whole {
            if head == tail { try fill() }
            let taken = min(whole - bytes.count, tail - head)
            bytes += incoming[head..<head + taken]
            head += taken
        }
        for padding in bytes[Int(byteCount)...] where padding != 0 {
            throw .daemonProtocol(reason: "padding that is not zero")
        }
        bytes.removeLast(whole - Int(byteCount))
        return String(decoding: bytes, as: UTF8.self)
    }

    func strings() throws(NixStoreError) -> [String] {
        var strings: [String] = []
        for _ in 0..<(try count()) { strings.append(try string()) }
        return strings
    }

    /// Reads more, behind what is there.
    private func fill() throws(NixStoreError) {
        if head > 0 {
            // At most a word's beginning is left over.
            incoming.replaceSubrange(0..<(tail - head), with: Array(incoming[head..<tail]))
            tail -= head
            head = 0
        }
        let count: Int
        do throws(Errno) {
            var span = incoming.mutableSpan
            let start = tail
            count = try unsafe span.withUnsafeMutableBytes { bytes throws(Errno) in
                try unsafe socket.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]))
            }
        } catch { throw .system(SystemError("read from", subject, error)) }
        // The daemon ends the connection where it crashes, and where it refuses to say why.
        if count == 0 { throw .system(SystemError("read from", subject, .connectionReset)) }
        tail += count
    }
}

/// What a daemon says, as it is shown.
enum DaemonText {
    /// Text without terminal colours and other control characters, and without the `error: ` that some versions put first.
    static func plain(_ text: String) -> String {
        var plain: [UInt8] = []
        var isInEscape = false
        for byte in text.utf8 {
            if isInEscape {
                // ECMA-48: a control sequence is `ESC [`, parameters, and one byte of 0x40 to 0x7e.
                if byte != UInt8(ascii: "[") && byte >= 0x40 && byte <= 0x7e { isInEscape = false }
            } else if byte == 0x1b {
                isInEscape = true
            } else if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\t") {
                plain.append(UInt8(ascii: " "))
            } else if byte >= 0x20 && byte != 0x7f {
                plain.append(byte)
            }
        }
        let prefix = Array("error: ".utf8)
        if plain.starts(with: prefix) { plain.removeFirst(prefix.count) }
        return String(String.UnicodeScalarView(String(decoding: plain, as: UTF8.self).unicodeScalars.filter { !$0.isControl }))
    }
}
