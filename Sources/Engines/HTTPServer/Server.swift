import Logging
import Platform

/// An HTTP/1.1 server: loops that own connections, and lanes of threads that run handlers.
///
///     let server = try Server(listen: [address], handler: handler, log: log)
///     server.start()
///     …
///     server.drain(timeout: .seconds(30))
///
/// Each loop has listeners of its own on every Internet address (SO_REUSEPORT), so the kernel spreads connections over the loops
/// and nothing is handed from one to another; a socket with a path all loops have together. A server that was started must be drained before it is dropped.
package final class Server: Sendable {
    /// The addresses that are listened on, with the ports that the kernel chose: `127.0.0.1:8080`, `[::]:8080`, `unix:/run/atticd.sock`.
    package let boundAddresses: [String]
    private let socketFiles: [SocketFile]
    private let shared: SharedContext
    private let loops: [LoopContext]
    private let threads = Monitor<[ThreadHandle]>([])

    /// Opens the listeners; connections wait in the kernel until `start`.
    ///
    /// - Parameters:
    ///   - listen: at least one address.
    ///   - loopCount: threads that own connections; as many as the machine has processors where nothing is said.
    ///   - disk: where files are read before they are sent.
    ///   - accessLog: is handed what a loop has answered, once a turn. Thread: loop; it must not block.
    /// - Throws: `SystemError` that names the address which cannot be listened on.
    package init(
        listen addresses: [ListenAddress], limits: Limits = Limits(), handler: any RequestHandler,
        loopCount: Int = Processors.count, disk: any Disk = PageCache(), log: Logger,
        accessLog: (@Sendable (AccessBatch) -> Void)? = nil
    ) throws(SystemError) {
        precondition(!addresses.isEmpty && loopCount > 0, "a server listens somewhere, with at least one loop")
        limits.check()
        let shared = SharedContext(limits: limits, handler: handler, disk: disk, log: log, accessLog: accessLog)
        var listeners: [Listener] = []
        for address in addresses { listeners += try address.open(loops: loopCount) }
        var loops: [LoopContext] = []
        for index in 0..<loopCount {
            loops.append(try LoopContext(listeners: listeners.map { $0.sockets[index] }, shared: shared))
        }
        boundAddresses = listeners.map(\.name)
        socketFiles = listeners.compactMap(\.file)
        self.shared = shared
        self.loops = loops
    }

    /// Starts the loops.
    package func start() {
        threads.withLock { threads in
            precondition(threads.isEmpty, "a server is started once")
            shared.runningLoops.update { $0 = loops.count }
            for (index, context) in loops.enumerated() {
                threads.append(ThreadHandle(named: "loop-\(index)") {
                    var loop = EventLoop(context)
                    loop.run()
                    context.shared.runningLoops.update { $0 -= 1 }
                })
            }
        }
    }

    /// Open connections now.
    package var connectionCount: Int { shared.connectionCount.load(ordering: .relaxed) }

    /// Bytes in memory, now, that slow clients hold: of answers that wait to be sent, of bodies that are awaited.
    package var heldByteCount: Int { shared.clients.heldBytes }

    /// Breaks off soon, and not only when their clients take more, the answers whose permits hold no longer.
    package func permitsChanged() {
        for loop in loops { loop.mailbox.post(.permitsChanged) }
    }

    /// As `permitsChanged`, and returns when every loop has asked: nothing is sent any more that rests on a permit which does
    /// not hold. Thread: any but a loop's.
    ///
    /// - Returns: false where that took longer.
    package func permitsChanged(waitingAtMost patience: Duration) -> Bool {
        everyLoopAnswers(within: patience) { .permitsAsked($0) }
    }

    /// Whether every loop takes its mail within so long, as one that hangs does not. Thread: any but a loop's.
    package func isAlive(within patience: Duration) -> Bool {
        everyLoopAnswers(within: patience) { .asked($0) }
    }

    /// Sends every loop a message that has it call back; false where one took longer. Thread: any but a loop's.
    private func everyLoopAnswers(
        within patience: Duration, _ message: (_ isDone: @escaping @Sendable () -> Void) -> LoopMessage
    ) -> Bool {
        let awaited = Monitor(0)
        for loop in loops {
            awaited.update { $0 += 1 }
            loop.mailbox.post(message { awaited.update { $0 -= 1 } })
        }
        let limit = MonotonicTime.now + patience
        // Loops that have ended send nothing.
        return awaited.wait(until: limit) { $0 == 0 ? true : nil } ?? shared.runningLoops.withLock { $0 == 0 }
    }

    /// Ends the server in good order: no more connections are accepted, idle ones are closed, requests that have begun
    /// are answered; then the threads end. Returns when they have.
    ///
    /// - Parameter timeout: after it, what is still under way is broken off. Handlers are waited for in any case: reads
    ///   of a body that was broken off fail at once.
    /// - Returns: whether everything that had begun was finished.
    @discardableResult
    package func drain(timeout: Duration) -> Bool {
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        // Whoever comes from now on finds nobody, and a server that takes this one's place makes its own.
        for file in socketFiles { file.remove() }
        for loop in loops { loop.mailbox.post(.drain) }
        let limit = MonotonicTime.now + timeout
        let hasFinished = shared.runningLoops.wait(until: limit) { count -> Bool? in count == 0 ? true : nil } ?? false
        if !hasFinished {
            for loop in loops { loop.mailbox.post(.stop) }
        }
        for thread in running { thread.join() }
        shared.stopLanes()
        return hasFinished
    }
}
