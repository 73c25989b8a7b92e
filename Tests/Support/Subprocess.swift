import Glibc
import Platform

/// Programs as tests run them: one call that waits for the end, or a handle on one that goes on.
package enum Subprocess {
    /// How a program ended.
    package enum Status: Hashable, Sendable {
        case exited(Int32)
        case signalled(Int32)
    }

    /// What a program that ended left behind.
    package struct Outcome: Sendable, CustomStringConvertible {
        package let status: Status
        package let standardOutput: [UInt8]
        package let standardError: [UInt8]

        package var isSuccess: Bool { status == .exited(0) }
        package var outputText: String { String(decoding: standardOutput, as: UTF8.self) }
        package var errorText: String { String(decoding: standardError, as: UTF8.self) }
        /// As a test that failed shows it: texts, and no bytes.
        package var description: String { "\(status); it wrote: \(outputText)\nand on standard error: \(errorText)" }
    }

    /// Runs a program to its end.
    ///
    /// - Parameters:
    ///   - arguments: the program first: a path, or a name that is looked up in `PATH`.
    ///   - environment: the whole of it; nil hands on this process's own.
    ///   - standardInput: what it reads; then its input ends.
    package static func run(
        _ arguments: [String], environment: [String: String]? = nil, standardInput: [UInt8] = []
    ) throws(SystemError) -> Outcome {
        let process = try BackgroundProcess(arguments, environment: environment, standardInput: standardInput)
        return process.wait()
    }

    /// The environment of this process.
    package static var ownEnvironment: [String: String] {
        var variables: [String: String] = [:]
        var next = unsafe environ
        while let entry = unsafe next.pointee {
            let text = unsafe String(cString: entry)
            if let equals = text.firstIndex(of: "=") { variables[String(text[..<equals])] = String(text[text.index(after: equals)...]) }
            unsafe next += 1
        }
        return variables
    }
}

/// A program that runs beside the test. It is killed when the handle goes away before it has ended.
package final class BackgroundProcess: Sendable {
    private struct State {
        var output: [UInt8] = []
        var error: [UInt8] = []
        var openStreams = 2
        var status: Subprocess.Status?
        var isReaped = false
    }

    package let processID: Int32
    private let monitor = Monitor(State())
    private let threads = Monitor<[ThreadHandle]>([])

    /// Starts a program; see `Subprocess.run` for the parameters.
    package init(
        _ arguments: [String], environment: [String: String]? = nil, standardInput: [UInt8] = []
    ) throws(SystemError) {
        let input = try Pipe()
        let output = try Pipe()
        let error = try Pipe()
        processID = try Self.spawn(
            arguments, environment: environment,
            streams: [input.readEnd.rawValue, output.writeEnd.rawValue, error.writeEnd.rawValue])
        let (inputEnd, outputEnd, errorEnd) = (OpenFile(input.takeWriteEnd()), OpenFile(output.takeReadEnd()), OpenFile(error.takeReadEnd()))
        let monitor = monitor
        threads.update { threads in
            threads.append(ThreadHandle(named: "test-stdout") {
                Self.collect(outputEnd) { bytes in monitor.update { $0.output += bytes } }
                monitor.update { $0.openStreams -= 1 }
            })
            threads.append(ThreadHandle(named: "test-stderr") {
                Self.collect(errorEnd) { bytes in monitor.update { $0.error += bytes } }
                monitor.update { $0.openStreams -= 1 }
            })
        }
        Self.feed(inputEnd, standardInput, threads: threads)
    }

    deinit {
        // The reaping goes with the number: kill first, so that it cannot name another process.
        if monitor.withLock({ !$0.isReaped }) {
            kill(SIGKILL)
            _ = wait()
        }
        for thread in threads.update({ threads in defer { threads = [] }; return threads }) { thread.join() }
    }

    /// Sends a signal; nothing happens where the program has ended.
    package func kill(_ signal: Int32 = SIGKILL) {
        monitor.withLock { state in
            if !state.isReaped { _ = Glibc.kill(processID, signal) }
        }
    }

    /// Asks the program to end (SIGTERM).
    package func terminate() { kill(SIGTERM) }

    /// Waits until the program has ended and its output is read.
    package func wait() -> Subprocess.Outcome {
        // WNOWAIT leaves the zombie, so `kill` cannot meet a number that was given to another process meanwhile.
        var info = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(processID), &info, Int32(WEXITED) | Int32(WNOWAIT)) < 0, Errno.current == .interrupted {}
        monitor.update { state in
            if state.isReaped { return }
            var raw: Int32 = 0
            while unsafe waitpid(processID, &raw, 0) < 0, Errno.current == .interrupted {}
            state.isReaped = true
            state.status = raw & 0x7f == 0 ? .exited(raw >> 8 & 0xff) : .signalled(raw & 0x7f)
        }
        return monitor.wait { state in
            guard let status = state.status, state.openStreams == 0 else { return nil }
            return Subprocess.Outcome(status: status, standardOutput: state.output, standardError: state.error)
        }
    }

    /// Waits until standard output or standard error holds `text`, and gives all of that stream so far; nil where the
    /// program closed both without saying it, or after `limit`.
    package func waitForText(_ text: String, within limit: Duration = .seconds(30)) -> String? {
        let wanted = Array(text.utf8)
        let found: String?? = monitor.wait(until: .now + limit) { state in
            for stream in [state.error, state.output] where Self.contains(stream, wanted) {
                return .some(String(decoding: stream, as: UTF8.self))
            }
            return state.openStreams == 0 ? .some(nil) : nil
        }
        return found ?? nil
    }

    private static func contains(_ bytes: [UInt8], _ wanted: [UInt8]) -> Bool {
        guard bytes.count >= wanted.count else { return false }
        return (0...(bytes.count - wanted.count)).contains { bytes[$0..<$0 + wanted.count].elementsEqual(wanted) }
    }

    // MARK: Streams

    private static func collect(_ file: OpenFile, _ add: ([UInt8]) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            var span = buffer.mutableSpan
            let count = unsafe span.withUnsafeMutableBytes { bytes in (try? unsafe file.descriptor.read(into: bytes)) ?? 0 }
            if count == 0 { return }
            add(Array(buffer[..<count]))
        }
    }

    /// Writes the program's input on a thread of its own: it may read late, or never.
    private static func feed(_ file: OpenFile, _ bytes: [UInt8], threads: Monitor<[ThreadHandle]>) {
        if bytes.isEmpty { return }
        // A program that ends without reading is an error number, not the end of the tests.
        signal(SIGPIPE, SIG_IGN)
        threads.update { threads in
            threads.append(ThreadHandle(named: "test-stdin") {
                unsafe bytes.withUnsafeBytes { buffer in _ = try? unsafe file.descriptor.writeAll(buffer) }
            })
        }
    }

    // MARK: Starting

    private static func spawn(
        _ arguments: [String], environment: [String: String]?, streams: [Int32]
    ) throws(SystemError) -> Int32 {
        precondition(!arguments.isEmpty, "a program has a name")
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (number, descriptor) in streams.enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        // Signals as a shell would start it with: nothing blocked, nothing ignored.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let variables = (environment ?? Subprocess.ownEnvironment).map { "\($0.key)=\($0.value)" }
        var processID: Int32 = 0
        let code = unsafe withCStrings(arguments) { arguments in
            unsafe withCStrings(variables) { variables in
                guard let program = unsafe arguments[0] else { return EINVAL }
                return unsafe posix_spawnp(&processID, program, &actions, &attributes, arguments, variables)
            }
        }
        if code != 0 { throw SystemError("start", arguments[0], Errno(code)) }
        return processID
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers = unsafe strings.map { unsafe strdup($0) } + [nil]
        defer { for unsafe pointer in unsafe pointers { unsafe free(pointer) } }
        return unsafe body(&pointers)
    }
}
