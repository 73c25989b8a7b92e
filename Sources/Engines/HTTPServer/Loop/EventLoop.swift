import HTTP
import Logging
import Platform

/// One loop: its share of the connections, and everything that happens to them.
///
/// One turn waits in epoll until the next deadline, reads the clocks once, handles what is ready, takes the mail, goes on
/// with connections that used up their turn before, expires deadlines, and hands over the turn's access log. Nothing in
/// it waits for anything else; `EventLoop+Pump` and `EventLoop+Receive` have what a turn does with one connection.
///
/// A struct, and so are its connections while they are worked on, so that the compiler knows who touches what and nothing
/// has to be checked for it at run time.
///
/// Thread: loop.
struct EventLoop: ~Copyable {
    let context: LoopContext
    var limits: Limits { context.shared.limits }
    var table = ConnectionTable()
    var deadlines: Deadlines
    var pool: BufferPool
    var renderer = ResponseHeadRenderer()
    var requestIDs = RequestIDs()
    /// Of this turn.
    var now = MonotonicTime.now
    var time = WallTime.now
    /// Bytes just received stand here while they are looked at.
    var scratch: ByteBuffer
    var runnable: [Cookie] = []
    var answered = AccessBatch()
    /// Room for heads: of one request after another, where each is answered at once.
    var headSpace = HeadSpace()
    private var acceptor: Acceptor
    private var isDraining = false
    private var isStopped = false
    /// When the log was last told that nothing is accepted; it is told now and then, not a thousand times a second.
    private var pauseWarned: MonotonicTime?
    /// The same of clients that have their share.
    private var clientWarned: MonotonicTime?

    static let mailCookie = Cookie(slot: .max, generation: 0)

    init(_ context: LoopContext) {
        self.context = context
        let limits = context.shared.limits
        deadlines = Deadlines(limits: limits)
        // The parser refuses a head before it fills the buffer.
        pool = BufferPool(bufferBytes: limits.headBytesMax + 4096)
        // What cannot be used at once is kept in a buffer of the pool: no more is received at once than fits into it.
        scratch = ByteBuffer(capacity: limits.headBytesMax + 4096)
        acceptor = Acceptor(listeners: context.takeListeners())
    }

    /// Runs until the server is drained or stopped.
    mutating func run() {
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
            time = .now
            var hasMail = false
            for event in events {
                let cookie = Cookie(rawValue: event.cookie)
                if let seat = table.find(cookie) {
                    ready(&seat.connection, event)
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
                if let seat = table.find(slot: slot) { expire(&seat.connection) }
            }
            if let paused = acceptor.pausedUntil, paused <= now { acceptor.resume(context.epoll) }
            handOverAccessLog()
            if isDraining && table.count == 0 { isStopped = true }
        }
        acceptor.close(context.epoll)
        for seat in table.all { close(&seat.connection) }
        handOverAccessLog()
    }

    private var timeout: Duration? {
        if !runnable.isEmpty { return .zero }
        guard var next = deadlines.earliest ?? acceptor.pausedUntil else { return nil }
        if let paused = acceptor.pausedUntil { next = min(next, paused) }
        return next - now
    }

    // MARK: Mail

    private mutating func take(_ message: LoopMessage) {
        switch message {
        case .replied(let cookie, let response):
            if let seat = table.find(cookie) { replied(&seat.connection, response) }
        case .bodyWanted(let cookie):
            if let seat = table.find(cookie) { bodyWanted(&seat.connection) }
        case .bodyRoom(let cookie):
            if let seat = table.find(cookie) { pump(&seat.connection) }
        case .fileRead(let cookie):
            if let seat = table.find(cookie) { fileRead(&seat.connection) }
        case .bytesMade(let cookie):
            if let seat = table.find(cookie) { bytesMade(&seat.connection) }
        case .permitsChanged:
            for seat in table.all { checkPermit(&seat.connection) }
        case .permitsAsked(let isDone):
            for seat in table.all { checkPermit(&seat.connection) }
            isDone()
        case .asked(let isDone): isDone()
        case .drain: drain()
        case .stop: isStopped = true
        }
    }

    private mutating func drain() {
        if isDraining { return }
        // Who waits in the kernel's queue would be reset by the close; they get an answer instead.
        for index in acceptor.indices { accept(index) }
        isDraining = true
        acceptor.close(context.epoll)
        for seat in table.all { drain(&seat.connection) }
    }

    private mutating func drain(_ connection: inout Connection) {
        // A request that has come, though nobody looked yet, has begun.
        connection.isReadable = true
        pump(&connection)
        if connection.isClosed { return }
        let action = connection.machine.drain()
        perform(action, &connection)
        pump(&connection)
    }

    // MARK: New connections

    private mutating func accept(_ index: Int) {
        let shared = context.shared
        for _ in 0..<Acceptor.perTurnMax {
            let isFull = shared.connectionCount.load(ordering: .relaxed) >= limits.connectionsMax
            if isFull, dispensable == nil {
                return pauseAccepting("there are \(limits.connectionsMax) connections, as many as allowed, and none is idle")
            }
            do throws(Errno) {
                guard let accepted = try acceptor.accept(index) else { return }
                if isFull, let seat = dispensable { close(&seat.connection) }
                let peer = accepted.peer
                let client = shared.clients.client(peer)
                if shared.clients.takeConnection(of: client) {
                    try open(accepted.take(), peer, client)
                } else {
                    turnAway(accepted.take(), peer)
                }
            } catch {
                return pauseAccepting("\(error)")
            }
        }
    }

    /// The connection of this loop that can be missed first, of those on which nothing has begun: the one that is idle longest, that
    /// need only be read out, or whose head takes longest. So whoever fills the server with such connections shuts nobody out.
    private var dispensable: Seat? {
        for kind in [DeadlineClass.idle, .linger, .head] {
            if let seat = deadlines.first(of: kind).flatMap({ table.find(slot: $0) }) { return seat }
        }
        return nil
    }

    private mutating func pauseAccepting(_ cause: String) {
        if pauseWarned.map({ now - $0 > .seconds(10) }) ?? true {
            context.shared.log.warning("No connections are accepted for a moment: \(cause)")
            pauseWarned = now
        }
        acceptor.pause(context.epoll, now: now)
    }

    /// Says why to a client that has its share of connections, and ends this one. As far as that goes at once: to wait until it
    /// has read would be a connection.
    private mutating func turnAway(_ socket: consuming FileDescriptor, _ peer: SocketAddress) {
        let most = limits.clientConnectionsMax
        if clientWarned.map({ now - $0 > .seconds(10) }) ?? true {
            context.shared.log.warning("\(peer.host) has \(most) connections, as many as an address may have: no more are taken from it (max-connections-per-address)")
            clientWarned = now
        }
        let refusal = Refusal(
            .serviceUnavailable, "there are \(most) connections from your address, as many as it may have", retryAfterSeconds: limits.retryAfterSeconds)
        let answer = renderer.render(
            refusal.response, isJoined: true, isChunked: false, requestID: requestIDs.next(), keepsAlive: false, version: .http11, time: time)
        // What waits unread when it is closed would make the kernel reset the connection, and the answer with it.
        scratch.clear()
        _ = try? unsafe socket.receive(into: scratch.room)
        _ = unsafe answer.withUnsafeBytes { bytes in try? unsafe socket.send(bytes, more: false) }
        socket.shutdownWriting()
    }

    private mutating func open(_ socket: consuming FileDescriptor, _ peer: SocketAddress, _ client: HostAddress?) throws(Errno) {
        // A client that left already makes this fail; the next read says so.
        if !peer.isLocal { try? socket.setNoDelay() }
        var taken: FileDescriptor? = socket
        let limits = limits
        let seat = table.insert { cookie in
            guard let socket = taken.take() else { preconditionFailure("a connection is made once") }
            return Connection(cookie: cookie, socket: socket, peer: peer, client: client, limits: limits)
        }
        context.shared.connectionCount.add(1, ordering: .relaxed)
        do throws(Errno) {
            try context.epoll.add(
                seat.connection.socket, [.read, .write, .edge], cookie: seat.connection.cookie.rawValue)
        } catch {
            close(&seat.connection)
            throw error
        }
        updateDeadline(&seat.connection, hasSent: false, hasReceived: false)
    }

    /// Makes room for a connection that waits, after one has ended.
    mutating func connectionEnded(of client: HostAddress?) {
        context.shared.connectionCount.subtract(1, ordering: .relaxed)
        context.shared.clients.giveBackConnection(of: client)
        acceptor.resume(context.epoll)
    }

    // MARK: The end of a turn

    private mutating func runRunnable() {
        if runnable.isEmpty { return }
        let turn = runnable
        runnable.removeAll(keepingCapacity: true)
        for cookie in turn {
            guard let seat = table.find(cookie) else { continue }
            seat.connection.isRunnable = false
            pump(&seat.connection)
        }
    }

    private mutating func handOverAccessLog() {
        guard !answered.isEmpty else { return }
        context.shared.accessLog?(answered)
        answered.removeAll()
    }
}
