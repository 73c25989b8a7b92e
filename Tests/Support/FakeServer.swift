import Glibc
import Platform

/// A server on the loopback that answers each request as a test says, one thread a connection, with blocking sockets.
/// It speaks as much HTTP as the client asks for: Content-Length, keep-alive, `Expect: 100-continue`.
package final class FakeServer: Sendable {
    package struct Request: Sendable {
        package let method: String
        package let path: String
        /// Names in lower case.
        package let headers: [String: String]
        package let body: [UInt8]
        package var bodyText: String { String(decoding: body, as: UTF8.self) }
    }

    package struct Answer: Sendable {
        package var status = 200
        package var body = ""
        package var headers: [(String, String)] = []
        /// What is sent in place of all that, as it is; then the connection ends.
        package var raw: String?

        package init(status: Int = 200, body: String = "", headers: [(String, String)] = [], raw: String? = nil) {
            self.status = status
            self.body = body
            self.headers = headers
            self.raw = raw
        }

        package static func error(_ status: Int, _ name: String, _ message: String) -> Answer {
            Answer(status: status, body: #"{"code":\#(status),"error":"\#(name)","message":"\#(message)"}"#)
        }
    }

    package let port: UInt16
    private let listener: FileDescriptor
    private let handler: @Sendable (Request) -> Answer
    private let log = Monitor<[Request]>([])

    /// All requests so far, in the order in which they were answered.
    package var requests: [Request] { log.withLock { $0 } }
    package var endpoint: String { "http://127.0.0.1:\(port)" }

    /// Runs `body` while the server is there.
    package static func run<Result>(
        answering handler: @escaping @Sendable (Request) -> Answer, _ body: (FakeServer) throws -> Result
    ) throws -> Result {
        let server = try FakeServer(handler)
        let thread = Thread(named: "fake-server") { server.serve() }
        let result = Swift.Result { try body(server) }
        // accept(2) comes back with an error once the listener is shut down.
        shutdown(server.listener.rawValue, Int32(SHUT_RDWR))
        thread.join()
        return try result.get()
    }

    private init(_ handler: @escaping @Sendable (Request) -> Answer) throws {
        self.handler = handler
        listener = FileDescriptor(owning: try retryingInterrupts { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) })
        let raw = listener.rawValue
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        port = try unsafe withUnsafeMutableBytes(of: &address) { bytes in
            guard let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return 0 }
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            try retryingInterrupts { unsafe bind(raw, start, size) }
            try retryingInterrupts { listen(raw, 16) }
            try retryingInterrupts { unsafe getsockname(raw, start, &size) }
            return unsafe UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        }
    }

    private func serve() {
        var connections: [ThreadHandle] = []
        while true {
            let raw = accept(listener.rawValue, nil, nil)
            if raw < 0 { break }
            connections.append(ThreadHandle(named: "fake-client") { [self] in converse(FileDescriptor(owning: raw)) })
        }
        for connection in connections { connection.join() }
    }

    private func converse(_ socket: consuming FileDescriptor) {
        // A client that went wrong must not hang the test.
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        unsafe setsockopt(socket.rawValue, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var received: [UInt8] = []
        while let head = Self.takeHead(&received, from: socket) {
            var lines = head.split(separator: "\r\n").map(String.init)[...]
            let start = lines.removeFirst().split(separator: " ")
            var headers: [String: String] = [:]
            for line in lines {
                let parts = line.split(separator: ":", maxSplits: 1)
                if parts.count == 2 { headers[parts[0].lowercased()] = String(parts[1].drop(while: \.isWhitespace)) }
            }
            if headers["expect"] != nil { Self.send("HTTP/1.1 100 Continue\r\n\r\n", to: socket) }
            let byteCount = headers["content-length"].flatMap { Int($0) } ?? 0
            while received.count < byteCount { if !Self.receive(&received, from: socket) { return } }
            guard start.count == 3 else { return }
            let request = Request(
                method: String(start[0]), path: String(start[1]), headers: headers, body: Array(received[..<byteCount]))
            received.removeFirst(byteCount)
            let answer = handler(request)
            log.update { $0.append(request) }
            if let raw = answer.raw { return Self.send(raw, to: socket) }
            var text = "HTTP/1.1 \(answer.status) Fake\r\nContent-Length: \(answer.body.utf8.count)\r\n"
            for (name, value) in answer.headers { text += "\(name): \(value)\r\n" }
            Self.send(text + "\r\n" + answer.body, to: socket)
        }
    }

    private static func takeHead(_ received: inout [UInt8], from socket: borrowing FileDescriptor) -> String? {
        let mark = Array("\r\n\r\n".utf8)
        while true {
            for end in stride(from: mark.count, through: received.count, by: 1)
            where received[(end - mark.count)..<end].elementsEqual(mark) {
                defer { received.removeFirst(end) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            if !receive(&received, from: socket) { return nil }
        }
    }

    private static func receive(_ received: inout [UInt8], from socket: borrowing FileDescriptor) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let raw = socket.rawValue
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(raw, $0.baseAddress, $0.count, 0) }
        if count <= 0 { return false }
        received += buffer[..<count]
        return true
    }

    private static func send(_ text: String, to socket: borrowing FileDescriptor) {
        var bytes = Array(text.utf8)[...]
        let raw = socket.rawValue
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.send(raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0 { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
