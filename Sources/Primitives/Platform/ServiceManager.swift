import Glibc

/// What systemd, or whatever started a service the same way, hands it and hears from it. Its protocol is plain: variables, descriptors
/// from 3 on, and messages to a socket (sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3)); its library is not needed.
package struct ServiceManager: Sendable {
    private let notifyPath: String?
    /// How often it must hear that all is well, else it starts the service anew; nil where it does not ask for that.
    package let watchdogTime: Duration?
    private let socketCount: Int
    private let socketNames: [String]

    /// More sockets than any service has; each is looked at.
    package static let socketsMax = 64
    /// SD_LISTEN_FDS_START.
    private static let firstSocket: Int32 = 3

    /// - Parameters:
    ///   - environment: all variables of the process.
    ///   - processID: whose they are, where they say for whom they are.
    package init(environment: [String: String], processID: Int32 = getpid()) {
        notifyPath = environment["NOTIFY_SOCKET"].flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
        // Variables are inherited; what they say may be for the parent.
        func isOurs(_ variable: String) -> Bool? { environment[variable].map { Int32($0) == processID } }
        let microseconds = environment["WATCHDOG_USEC"].flatMap { Int64($0) } ?? 0
        watchdogTime = microseconds > 0 && isOurs("WATCHDOG_PID") ?? true ? .microseconds(microseconds) : nil
        socketCount = isOurs("LISTEN_PID") == true ? environment["LISTEN_FDS"].flatMap { Int($0) } ?? 0 : 0
        socketNames = environment["LISTEN_FDNAMES"]?.split(separator: ":", omittingEmptySubsequences: false).map(String.init) ?? []
    }

    /// Tells it something, such as `READY=1`. Who listens is of no concern: nothing here can be done about one who does not.
    package func tell(_ state: String) {
        if let notifyPath { try? LocalSocket.send(state, to: notifyPath) }
    }

    /// Takes the listening sockets that were passed. Once: they belong to the caller from then on.
    ///
    /// - Throws: where one is no stream socket that listens.
    package func takeSockets() throws(SystemError) -> [PassedSocket] {
        guard socketCount > 0 else { return [] }
        guard socketCount <= Self.socketsMax else { throw SystemError("take", "\(socketCount) sockets of LISTEN_FDS", Errno(E2BIG)) }
        var sockets: [PassedSocket] = []
        for index in 0..<socketCount {
            let name = socketNames.count == socketCount ? socketNames[index] : ""
            let raw = Self.firstSocket + Int32(index)
            let subject = "the socket \(raw) of LISTEN_FDS" + (name.isEmpty ? "" : " (\(name))")
            do throws(Errno) {
                // Looked at before it is owned: a descriptor that is none of ours is not closed.
                try Self.check(raw)
                sockets.append(PassedSocket(name: name, file: OpenFile(FileDescriptor(owning: raw))))
            } catch { throw SystemError("listen on", subject, error) }
        }
        return sockets
    }

    private static func check(_ raw: Int32) throws(Errno) {
        guard try option(raw, SO_TYPE) == Int32(SOCK_STREAM.rawValue), try option(raw, SO_ACCEPTCONN) == 1 else { throw Errno(EINVAL) }
        try retryingInterrupts { fcntl(raw, F_SETFD, FD_CLOEXEC) }
        let flags = try retryingInterrupts { fcntl(raw, F_GETFL, 0) }
        try retryingInterrupts { fcntl(raw, F_SETFL, flags | O_NONBLOCK) }
    }

    private static func option(_ raw: Int32, _ name: Int32) throws(Errno) -> Int32 {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        try retryingInterrupts { unsafe getsockopt(raw, SOL_SOCKET, name, &value, &size) }
        return value
    }
}

/// A listening socket that the process was started with.
package struct PassedSocket: Sendable {
    /// As the service manager calls it; empty where it does not.
    package let name: String
    package let file: OpenFile

    package init(name: String, file: OpenFile) {
        self.name = name
        self.file = file
    }
}
