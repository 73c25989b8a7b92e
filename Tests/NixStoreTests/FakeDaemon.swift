import Glibc
import Nix
import Platform
import Support

/// A daemon that speaks one version of the worker protocol and knows a few paths; for versions and for misbehaviour that
/// the installed Nix does not have.
final class FakeDaemon: Sendable {
    struct Behaviour: Sendable {
        /// 1.`minor`
        var minor = 34
        var major = 1
        /// By full path: what follows the word that says it is valid.
        var answers: [String: [UInt8]] = [:]
        /// Sent instead of the handshake.
        var greeting: [UInt8]?
        /// Sent before each answer, and before the handshake's end.
        var chatter: [UInt8] = []
        /// Sent instead of the first answer.
        var failure: [UInt8]?
        /// Bytes a send; 1 tears every word apart.
        var pieceByteCount = 1 << 20
    }

    let socket: String
    private let directory: TemporaryDirectory
    private let thread: ThreadHandle
    private let listener: OpenFile
    private struct State {
        var isStopped = false
        /// What is being served.
        var connection: OpenFile?
    }
    private let state = Monitor(State())

    init(_ behaviour: Behaviour) throws {
        directory = try TemporaryDirectory()
        socket = directory.file("socket")
        listener = OpenFile(try Self.listen(socket))
        let (listener, state) = (listener, state)
        thread = ThreadHandle(named: "fake-daemon") {
            while true {
                let raw = Glibc.accept(listener.descriptor.rawValue, nil, nil)
                if raw < 0 { return }
                let socket = OpenFile(FileDescriptor(owning: raw))
                let isStopped = state.withLock { state in
                    state.connection = socket
                    return state.isStopped
                }
                if isStopped { return }
                try? Connection(socket, behaviour).serve()
                state.withLock { $0.connection = nil }
            }
        }
    }

    /// Ends the connection that is served, and takes no more.
    func stop() {
        state.withLock { state in
            state.isStopped = true
            // Wakes accept(2) and read(2), which then fail.
            for file in [listener, state.connection] { if let file { shutdown(file.descriptor.rawValue, Int32(SHUT_RDWR)) } }
        }
        thread.join()
    }

    deinit { stop() }

    private static func listen(_ path: String) throws -> FileDescriptor {
        let listener = FileDescriptor(owning: Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
        let raw = listener.rawValue
        try retryingInterrupts {
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
        try retryingInterrupts { Glibc.listen(raw, 16) }
        return listener
    }

    // MARK: Bytes of the protocol

    static func word(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        NarTokens.append(length: Int64(bitPattern: value), to: &bytes)
        return bytes
    }

    static func string(_ text: String) -> [UInt8] { NarTokens.run(text) }

    static func strings(_ texts: [String]) -> [UInt8] { word(UInt64(texts.count)) + texts.flatMap(string) }

    static let last = word(0x616c_7473)

    /// What a client must pass over: a log line, an activity with fields of both kinds, its result and its end.
    static let chatter =
        word(0x6f6c_6d67) + string("a log line\n")
        + word(0x5354_5254) + word(7) + word(3) + word(101) + string("querying") + word(2) + word(0) + word(9) + word(1)
        + string("field") + word(0)
        + word(0x5253_4c54) + word(7) + word(104) + word(1) + word(1) + string("progress")
        + word(0x5354_4f50) + word(7)

    static func error(_ text: String, minor: Int, traces: [String] = []) -> [UInt8] {
        if minor < 26 { return word(0x6378_7470) + string(text) + word(1) }
        return word(0x6378_7470) + string("Error") + word(0) + string("Error") + string(text) + word(0)
            + word(UInt64(traces.count)) + traces.flatMap { word(0) + string($0) }
    }

    private final class Connection {
        private let socket: OpenFile
        private let behaviour: Behaviour

        init(_ socket: OpenFile, _ behaviour: Behaviour) {
            self.socket = socket
            self.behaviour = behaviour
        }

        func serve() throws(Errno) {
            _ = try word()
            if let greeting = behaviour.greeting { return try send(greeting) }
            try send(FakeDaemon.word(0x6478_696f) + FakeDaemon.word(UInt64(behaviour.major << 8 | behaviour.minor)))
            let minor = min(behaviour.minor, Int(try word() & 0xff))
            if minor >= 38 {
                _ = try strings()
                try send(FakeDaemon.strings(["some-feature", "another"]))
            }
            _ = try word()
            _ = try word()
            var reply: [UInt8] = []
            if minor >= 33 { reply += FakeDaemon.string("9.99") }
            if minor >= 35 { reply += FakeDaemon.word(1) }
            try send(reply + behaviour.chatter + FakeDaemon.last)
            while true {
                let operation = try word()
                var paths = [""]
                if operation == 26 { paths = [try string()] }
                if operation == 31 {
                    paths = try strings()
                    if minor >= 27 { _ = try word() }
                }
                if let failure = behaviour.failure { return try send(behaviour.chatter + failure) }
                var reply = behaviour.chatter + FakeDaemon.last
                if operation == 31 {
                    reply += FakeDaemon.strings(paths.filter { behaviour.answers[$0] != nil })
                } else if let answer = behaviour.answers[paths[0]] {
                    reply += FakeDaemon.word(1) + answer
                } else {
                    reply += FakeDaemon.word(0)
                }
                try send(reply)
            }
        }

        private func bytes(_ count: Int) throws(Errno) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: count)
            var filled = 0
            while filled < count {
                var span = bytes.mutableSpan
                let got = try unsafe span.withUnsafeMutableBytes { buffer throws(Errno) in
                    try unsafe socket.descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
                }
                if got == 0 { throw .connectionReset }
                filled += got
            }
            return bytes
        }

        private func word() throws(Errno) -> UInt64 {
            try bytes(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }

        private func string() throws(Errno) -> String {
            let count = Int(try word())
            let text = try bytes((count + 7) / 8 * 8)
            return String(decoding: text[..<count], as: UTF8.self)
        }

        private func strings() throws(Errno) -> [String] {
            var texts: [String] = []
            for _ in 0..<(try word()) { texts.append(try string()) }
            return texts
        }

        private func send(_ bytes: [UInt8]) throws(Errno) {
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, start + behaviour.pieceByteCount)
                let piece = Array(bytes[start..<end])
                start += try unsafe piece.span.withUnsafeBytes { buffer throws(Errno) in
                    try unsafe socket.descriptor.send(buffer, more: false) ?? 0
                }
            }
        }
    }
}
