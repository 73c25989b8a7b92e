import Crypto
import Glibc
import Platform

/// A server that does to each connection what the test says, on the loopback.
///
/// It has one script a connection, in the order in which they come, each on a thread of its own, with blocking
/// sockets. When the test is done, nobody is accepted any more, and all threads are waited for.
final class ScriptedServer: Sendable {
    typealias Script = @Sendable (ScriptedConnection) -> Void

    let port: UInt16
    private let listener: FileDescriptor
    private let accepted = Monitor(0)

    /// How many connections have come.
    var connectionCount: Int { accepted.withLock { $0 } }

    /// Runs `body` while a server with those scripts is there.
    static func run(
        _ scripts: [Script], family: Int32 = AF_INET, _ body: (ScriptedServer) throws -> Void
    ) throws {
        let server = try ScriptedServer(family: family)
        let thread = Thread(named: "scripted") { server.serve(scripts[...]) }
        let outcome = Result { try body(server) }
        // accept(2) comes back with an error once the listener is shut down.
        shutdown(server.listener.rawValue, Int32(SHUT_RDWR))
        thread.join()
        try outcome.get()
    }

    /// A port where nobody listens.
    static func closedPort() throws -> UInt16 { try ScriptedServer(family: AF_INET).port }

    private init(family: Int32) throws {
        listener = FileDescriptor(owning: try retryingInterrupts { socket(family, Int32(SOCK_STREAM.rawValue), 0) })
        let raw = listener.rawValue
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        if family == AF_INET6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_addr = in6addr_loopback
            size = socklen_t(MemoryLayout<sockaddr_in6>.size)
            port = try unsafe withUnsafeMutableBytes(of: &address) { bytes in
                try unsafe Self.listen(raw, bytes, &size)
            }
        } else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            port = try unsafe withUnsafeMutableBytes(of: &address) { bytes in
                try unsafe Self.listen(raw, bytes, &size)
            }
        }
    }

    /// Binds, listens, and says on which port; it stands at the same place in both kinds of address.
    private static func listen(
        _ raw: Int32, _ address: UnsafeMutableRawBufferPointer, _ size: inout socklen_t
    ) throws -> UInt16 {
        guard let start = unsafe address.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return 0 }
        let count = size
        try retryingInterrupts { unsafe bind(raw, start, count) }
        try retryingInterrupts { Glibc.listen(raw, 16) }
        try retryingInterrupts { unsafe getsockname(raw, start, &size) }
        return unsafe UInt16(bigEndian: address.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
    }

    private func serve(_ scripts: ArraySlice<Script>) {
        guard let script = scripts.first else { return }
        let raw = accept(listener.rawValue, nil, nil)
        guard raw >= 0 else { return }
        accepted.update { $0 += 1 }
        let thread = Thread(named: "connection") { script(ScriptedConnection(FileDescriptor(owning: raw))) }
        serve(scripts.dropFirst())
        thread.join()
    }
}

/// One connection of a scripted server; closed when the script ends.
final class ScriptedConnection {
    private let descriptor: FileDescriptor
    private var received: [UInt8] = []
    /// From `startTLS` on.
    private var session: TLSSession?
    /// Encrypted bytes that leave at once.
    private var pieceBytes = Int.max

    init(_ descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
        // A test that went wrong must not hang: nothing here takes ten seconds.
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        unsafe setsockopt(
            self.descriptor.rawValue, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        // What was sent must not wait for an acknowledgement, and be lost where the connection is closed before.
        var on: Int32 = 1
        unsafe setsockopt(self.descriptor.rawValue, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The next head, with its empty line; what there is where the connection ends before.
    func readHead() -> String { readUntil("\r\n\r\n") }

    /// Everything up to and with `mark`.
    func readUntil(_ mark: String) -> String {
        let wanted = Array(mark.utf8)
        while true {
            for end in stride(from: wanted.count, through: received.count, by: 1)
            where received[(end - wanted.count)..<end].elementsEqual(wanted) {
                defer { received.removeFirst(end) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            if !receive() {
                defer { received = [] }
                return String(decoding: received, as: UTF8.self)
            }
        }
    }

    /// So many bytes; fewer where the connection ends before.
    func read(_ count: Int) -> String {
        while received.count < count, receive() {}
        let taken = received.prefix(count)
        defer { received.removeFirst(taken.count) }
        return String(decoding: taken, as: UTF8.self)
    }

    /// Waits until the client has closed; how many bytes came before that.
    func readToEnd() -> Int {
        var total = received.count
        received = []
        while receive() {
            total += received.count
            received = []
        }
        return total
    }

    /// Speaks TLS from here on; whether the client agreed.
    ///
    /// - Parameter pieceBytes: what leaves at once.
    func startTLS(_ identity: TLSIdentity, pieceBytes: Int = .max) -> Bool {
        let session = TLSSession(serving: identity)
        self.session = session
        self.pieceBytes = pieceBytes
        while true {
            let isDone = try? session.shakeHands()
            sendEncrypted()
            guard isDone == false else { return isDone ?? false }
            if !feed() { return false }
        }
    }

    /// Ends TLS as it should be ended.
    func endTLS() {
        session?.end()
        sendEncrypted()
    }

    func send(_ text: String) {
        guard let session else { return sendRaw(Array(text.utf8)) }
        try? unsafe Array(text.utf8).withUnsafeBytes { try unsafe session.write($0) }
        sendEncrypted()
    }

    private func sendEncrypted() {
        guard let session else { return }
        var bytes = [UInt8](repeating: 0, count: session.outgoingByteCount)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe session.take(into: $0) }
        var rest = bytes[..<count]
        while !rest.isEmpty {
            sendRaw(Array(rest.prefix(pieceBytes)))
            rest = rest.dropFirst(pieceBytes)
        }
    }

    /// Receives encrypted bytes.
    private func feed() -> Bool {
        guard let bytes = receiveRaw() else { return false }
        unsafe bytes.withUnsafeBytes { unsafe session?.feed($0) }
        return true
    }

    func sendRaw(_ bytes: [UInt8]) {
        var bytes = bytes[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.send(descriptor.rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0 { return }
            bytes = bytes.dropFirst(count)
        }
    }

    private func receive() -> Bool {
        guard let session else {
            guard let bytes = receiveRaw() else { return false }
            received += bytes
            return true
        }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            guard let count = try? unsafe buffer.withUnsafeMutableBytes({ try unsafe session.read(into: $0) ?? -1 }), count != 0 else {
                return false
            }
            if count > 0 {
                received += buffer[..<count]
                return true
            }
            if !feed() { return false }
        }
    }

    /// Nil at the end.
    private func receiveRaw() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor.rawValue, $0.baseAddress, $0.count, 0) }
        return count <= 0 ? nil : Array(buffer[..<count])
    }
}
