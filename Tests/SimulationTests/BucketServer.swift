import Crypto
import HTTP
import HTTPServer
import Platform

/// An S3 server in this process, with buckets in memory, that answers badly when the stage says so. It looks at no signatures,
/// but compares what it is sent with its hash.
final class BucketServer: Sendable {
    /// What a request may come to.
    private enum Strike {
        /// Refused, to be asked again later.
        case slowDown, internalError
        /// The connection ends without an answer, and nothing was done; or it was; or it will be, later.
        case cut, loseAnswer, late
        /// Half of the answer's body comes.
        case half
        /// It begins well, and ends with an error.
        case errorInside
    }

    private struct State {
        var buckets: [String: Bucket] = [:]
        var bucketCount = 0
        var stage: Stage?
    }

    let address: String
    private let state = Monitor(State())
    private let listener: FileDescriptor
    private let thread = Monitor<ThreadHandle?>(nil)
    private static let started = Monitor<BucketServer?>(nil)

    /// One for all of this process, for as long as that lives.
    static func shared(_ stage: Stage) throws -> BucketServer {
        let server = try started.withLock({ $0 }) ?? BucketServer()
        server.state.update { $0.stage = stage }
        started.update { $0 = server }
        return server
    }

    private init() throws {
        guard let place = try SocketAddress.resolve(host: "127.0.0.1", port: 0).first else { preconditionFailure("there is a 127.0.0.1") }
        listener = try ListeningSocket.open(place, sharesPort: false)
        address = "\(try listener.localAddress())"
        let handle = ThreadHandle(named: "bucket") { [self] in run() }
        thread.update { $0 = handle }
    }

    // MARK: Buckets

    func makeBucket(copying other: String?) -> String {
        state.update { state in
            state.bucketCount += 1
            let name = "simulated-\(state.bucketCount)"
            state.buckets[name] = other.flatMap { state.buckets[$0] } ?? Bucket()
            return name
        }
    }

    func removeBucket(_ name: String) { state.update { $0.buckets[name] = nil } }

    func bucket(_ name: String) -> Bucket { state.withLock { $0.buckets[name] ?? Bucket() } }

    /// Does what was late.
    func finishLate(_ name: String) { state.update { $0.buckets[name]?.finishLate() } }

    // MARK: Thread: bucket

    private final class Client {
        let socket: FileDescriptor
        var received: [UInt8] = []
        init(_ socket: consuming FileDescriptor) { self.socket = socket }
    }

    private func run() {
        var clients: [Client] = []
        while true {
            let ready = Set(Sockets.wait(for: [listener.rawValue] + clients.map { $0.socket.rawValue }))
            clients = clients.enumerated().filter { !ready.contains(1 + $0.offset) || serve($0.element) }.map(\.element)
            if ready.contains(0), let client = accept() { clients.append(client) }
        }
    }

    private func accept() -> Client? {
        do throws(Errno) {
            guard let accepted = try listener.accept() else { return nil }
            let client = Client(accepted.take())
            try client.socket.setNoDelay()
            return client
        } catch { return nil }
    }

    /// Reads, and answers what is whole; false where the connection has ended.
    private func serve(_ client: Client) -> Bool {
        guard let bytes = Sockets.receive(from: client.socket) else { return false }
        client.received += bytes
        while let end = client.received.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound {
            guard let head = try? RequestHead(parsing: String(decoding: client.received[..<end], as: UTF8.self)) else { return false }
            let byteCount = head.header("Content-Length").flatMap { Int($0) } ?? 0
            guard client.received.count >= end + byteCount else { return true }
            let body = Array(client.received[end..<(end + byteCount)])
            client.received.removeSubrange(..<(end + byteCount))
            guard let (answer, isWhole) = answer(head, body) else { return false }
            guard Sockets.send(BucketServer.rendered(answer, to: head, isWhole: isWhole), to: client.socket), isWhole else { return false }
        }
        return true
    }

    /// Nil where none comes.
    private func answer(_ head: RequestHead, _ body: [UInt8]) -> (Response, isWhole: Bool)? {
        let path = head.target.path.dropFirst().split(separator: "/", maxSplits: 1)
        if let hash = head.header("x-amz-content-sha256"), hash != SHA256.digest(of: body).hex {
            return (Answers.error(.badRequest, "XAmzContentSHA256Mismatch"), true)
        }
        let name = path.first.map(String.init) ?? ""
        let errand = Errand(
            method: head.method, key: path.count > 1 ? String(path[1]) : "", query: BucketServer.parameters(head.target.query ?? ""),
            range: head.header("Range"), body: body)
        switch state.withLock({ $0.stage })?.strikeBucket(BucketServer.strikes(errand)) {
        case nil: return (perform(errand, name), true)
        case .slowDown: return (Answers.error(.serviceUnavailable, "SlowDown"), true)
        case .internalError: return (Answers.error(.internalServerError, "InternalError"), true)
        case .cut: return nil
        case .loseAnswer:
            _ = perform(errand, name)
            return nil
        case .late:
            state.update { $0.buckets[name]?.postpone(errand) }
            return nil
        case .half: return (perform(errand, name), false)
        case .errorInside: return (Answers.xml("<Error><Code>InternalError</Code></Error>"), true)
        }
    }

    private func perform(_ errand: Errand, _ name: String) -> Response {
        state.update { $0.buckets[name]?.perform(errand) ?? Answers.error(.notFound, "NoSuchBucket") }
    }

    private static func strikes(_ errand: Errand) -> [Strike] {
        switch errand.method {
        case .head: [.slowDown, .internalError, .cut]
        case .get: [.slowDown, .internalError, .cut, .half]
        case .put: [.slowDown, .internalError, .cut, .loseAnswer, .late]
        case .post where errand.query["uploads"] == nil: [.slowDown, .internalError, .cut, .loseAnswer, .late, .errorInside]
        default: [.slowDown, .internalError, .cut, .loseAnswer]
        }
    }

    private static func parameters(_ query: String) -> [String: String] {
        var found: [String: String] = [:]
        for item in query.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            found[String(parts[0])] = parts.count > 1 ? String(parts[1].replacing("%2F", with: "/")) : ""
        }
        return found
    }

    /// - Parameter isWhole: false for the first half of it.
    private static func rendered(_ answer: Response, to head: RequestHead, isWhole: Bool) -> [UInt8] {
        let body = answer.shortBytes
        var text = "HTTP/1.1 \(answer.status.code) \(answer.status.reason)\r\n"
        for (name, value) in answer.headers { text += "\(name): \(value)\r\n" }
        if answer.status != .noContent { text += "Content-Length: \(body.count)\r\n" }
        let sent = head.method == .head ? [] : isWhole ? body[...] : body.prefix(body.count / 2)
        return Array((text + "\r\n").utf8) + sent
    }
}
