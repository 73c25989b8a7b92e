import HTTP
import Logging
import Platform

/// One loop: its share of the connections, and everything that happens to them.
///
/// One turn reads the clock once, waits in epoll until the next deadline, handles what is ready, takes the mail, goes on
/// with connections that used up their turn before, expires deadlines, and hands over the turn's access log. Nothing in
/// it waits for anything else; `EventLoop+Pump` has what a turn does with one connection.
///
/// Thread: loop.
final class EventLoop {
    let context: LoopContext
    var limits: Limits { context.shared.limits }
    var table = ConnectionTable()
    var deadlines: Deadlines
    var pool: BufferPool
    var renderer = ResponseHeadRenderer()
    var requestIDs = RequestIDs()
    var now = MonotonicTime.now
    /// Bytes just received stand here while they are looked at.
    var scratch = ByteBuffer(capacity: 64 << 10)
    var runnable: [Cookie] = []
    var accessRecords: [AccessRecord] = []
    private var acceptor: Acceptor
    private var isDraining = false
    private var isStopped = false
    /// When the log was last told that nothing is accepted; it is told now and then, not a thousand times a second.
    private var pauseWarned: MonotonicTime?

    static let mailCookie = Cookie(slot: .max, generation: 0)

    init(_ context: LoopContext) {
        self.context = context
        let limits = context.shared.limits
        deadlines = Deadlines(limits: limits)
        // The parser refuses a head before it fills the buffer.
        pool = BufferPool(bufferBytes: limits.headBytesMax + 4096)
        acceptor = Acceptor(listeners: context.takeListeners())
    }

    /// Runs until the server is drained or stopped.
    func run() {
        Signals.blockBrokenPipes()
        do {
            try context.epoll.add(context.mailbox.descriptor, .read, cookie: Self.mailCookie.rawValue)
            try acceptor.listen(context.epoll)
        } catch {
            // A new epoll takes a handful of descriptors unless the machine is out of memory.
            preconditionFailure("cannot watch the listeners: \(error)")
        }
        var events: [Epoll.Event] = []
        var mail: [LoopMessage] = []
        while !isStopped {
            context.epoll.wait(into: &events, timeout: timeout)
            now = .now
            var hasMail = false
            for event in events {
                let cookie = Cookie(rawValue: event.cookie)
                if let connection = table.find(cookie) {
                    ready(connection, event)
                } else if cookie == Self.mailCookie {
                    hasMail = true
                } else if let index = acceptor.index(of: cookie) {
                    accept(index)
                }
            }
            if hasMail {
                mail = context.mailbox.drain(reusing: mail)
                for message in mail { take(message) }
                mail.removeAll(keepingCapacity: true)
            }
            runRunnable()
            while let slot = deadlines.takeExpired(now: now) {
                if let connection = table.find(slot: slot) { expire(connection) }
            }
            if let paused = acceptor.pausedUntil, paused <= now { acceptor.resume(context.epoll) }
            handOverAccessLog()
            if isDraining && table.count == 0 { isStopped = true }
        }
        acceptor.close()
        for connection in table.all { close(connection) }
        handOverAccessLog()
    }

    private var timeout: Duration? {
        if !runnable.isEmpty { return .zero }
        guard let next = [deadlines.earliest, acceptor.pausedUntil].compactMap({ $0 }).min() else { return nil }
        return next - .now
    }

    // MARK: Mail

    private func take(_ message: LoopMessage) {
        switch message {
        case .replied(let cookie, let response):
            if let connection = table.find(cookie) { replied(connection, response) }
        case .bodyWanted(let cookie):
            if let connection = table.find(cookie) { bodyWanted(connection) }
        case .bodyRoom(let cookie):
            if let connection = table.find(cookie) { pump(connection) }
        case .drain: drain()
        case .stop: isStopped = true
        }
    }

    private func drain() {
        if isDraining { return }
        // Who waits in the kernel's queue would be reset by the close; they get an answer instead.
        for index in acceptor.indices { accept(index) }
        isDraining = true
        acceptor.close()
        for connection in table.all {
            // A request that has come, though nobody looked yet, has begun.
            connection.isReadable = true
            pump(connection)
            if connection.isClosed { continue }
            perform(connection.machine.drain(), connection)
            pump(connection)
        }
    }

    // MARK: New connections

    private func accept(_ index: Int) {
        let shared = context.shared
        for _ in 0..<Acceptor.perTurnMax {
            if shared.connectionCount.load(ordering: .relaxed) >= limits.connectionsMax {
                return pauseAccepting("there are \(limits.connectionsMax) connections, as many as allowed")
            }
            do throws(Errno) {
                guard let accepted = try acceptor.accept(index) else { return }
                let peer = accepted.peer
                try open(accepted.take(), peer)
            } catch {
                return pauseAccepting("\(error)")
            }
        }
    }

    private func pauseAccepting(_ cause: String) {
        if pauseWarned.map({ now - $0 > .seconds(10) }) ?? true {
            context.shared.log.warning("No connections are accepted for a moment: \(cause)")
            pauseWarned = now
        }
        acceptor.pause(context.epoll, now: now)
    }

    private func open(_ socket: consuming FileDescriptor, _ peer: SocketAddress) throws(Errno) {
        // A client that left already makes this fail; the next read says so.
        try? socket.setNoDelay()
        var taken: FileDescriptor? = socket
        let connection = table.insert { cookie in
            guard let socket = taken.take() else { preconditionFailure("a connection is made once") }
            return Connection(cookie: cookie, socket: socket, peer: peer, limits: limits)
        }
        context.shared.connectionCount.add(1, ordering: .relaxed)
        do throws(Errno) {
            try context.epoll.add(connection.socket, [.read, .write, .edge], cookie: connection.cookie.rawValue)
        } catch {
            close(connection)
            throw error
        }
        updateDeadline(connection, hasSent: false, hasReceived: false)
    }

    /// Makes room for a connection that waits, after one has ended.
    func connectionEnded() {
        context.shared.connectionCount.subtract(1, ordering: .relaxed)
        acceptor.resume(context.epoll)
    }

    // MARK: The end of a turn

    private func runRunnable() {
        if runnable.isEmpty { return }
        let turn = runnable
        runnable.removeAll(keepingCapacity: true)
        for cookie in turn {
            guard let connection = table.find(cookie) else { continue }
            connection.isRunnable = false
            pump(connection)
        }
    }

    private func handOverAccessLog() {
        guard !accessRecords.isEmpty else { return }
        context.shared.accessLog?(accessRecords)
        accessRecords.removeAll(keepingCapacity: true)
    }
}
