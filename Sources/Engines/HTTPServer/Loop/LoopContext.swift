import Logging
import Platform
import Synchronization

/// What a loop is given when it is started: its own listeners, epoll and mailbox, and what all loops share.
final class LoopContext: Sendable {
    private let listeners: Monitor<[OpenFile]>
    let epoll: Epoll
    let mailbox: Mailbox<LoopMessage>
    let shared: SharedContext

    init(listeners: [OpenFile], shared: SharedContext) throws(SystemError) {
        self.listeners = Monitor(listeners)
        self.shared = shared
        epoll = try Epoll()
        mailbox = try Mailbox()
    }

    /// Gives the listeners up to the loop, so that they are closed when it closes them.
    func takeListeners() -> [OpenFile] {
        listeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
    }
}

/// What all loops of a server share.
final class SharedContext: Sendable {
    let limits: Limits
    let handler: any RequestHandler
    let log: Logger
    let accessLog: (@Sendable (AccessBatch) -> Void)?
    /// Open connections of all loops.
    let connectionCount = Atomic(0)
    /// Loops that have not ended.
    let runningLoops = Monitor(0)
    let clients: ClientShares
    let disk: any Disk
    /// Reads what is not in memory; each connection waits for one window at most.
    let readers: WorkerPool
    /// Makes bodies while they are sent; each is of one connection.
    let producers: WorkerPool
    private let query: WorkerPool
    private let document: WorkerPool
    private let reading: WorkerPool
    private let fetching: WorkerPool
    private let transfer: WorkerPool

    init(
        limits: Limits, handler: any RequestHandler, disk: any Disk, log: Logger,
        accessLog: (@Sendable (AccessBatch) -> Void)?
    ) {
        self.disk = disk
        clients = ClientShares(limits: limits)
        readers = WorkerPool(name: "reader", threadsMax: limits.readerThreads, queueMax: limits.connectionsMax)
        producers = WorkerPool(name: "producer", threadsMax: limits.producerThreads, queueMax: limits.producerQueueMax)
        self.limits = limits
        self.handler = handler
        self.log = log
        self.accessLog = accessLog
        query = WorkerPool(name: "query", threadsMax: limits.queryThreads, queueMax: limits.queryQueueMax)
        document = WorkerPool(name: "document", threadsMax: limits.documentThreads, queueMax: limits.documentQueueMax)
        reading = WorkerPool(name: "reading", threadsMax: limits.readingThreads, queueMax: limits.readingQueueMax)
        fetching = WorkerPool(name: "fetching", threadsMax: limits.fetchingThreads, queueMax: limits.fetchingQueueMax)
        transfer = WorkerPool(name: "transfer", threadsMax: limits.transferThreads, queueMax: limits.transferQueueMax)
    }

    func pool(_ lane: Lane) -> WorkerPool {
        switch lane {
        case .query: query
        case .document: document
        case .reading: reading
        case .fetching: fetching
        case .transfer: transfer
        }
    }

    /// Finishes what the lanes have taken, and joins their threads.
    func stopLanes() {
        readers.stop()
        producers.stop()
        query.stop()
        document.stop()
        reading.stop()
        fetching.stop()
        transfer.stop()
    }
}
