/// A bounded number of threads that run jobs which may block, and a bounded queue before them.
///
/// Threads start when they are first needed and stay. The one that became idle last runs the next job, so a quiet pool
/// keeps a few warm threads and lets the others sleep; each sleeps on a monitor of its own, so a job wakes one thread.
package final class WorkerPool: Sendable {
    package typealias Job = @Sendable () -> Void

    private struct State {
        var idle: [Worker] = []
        var workers: [Worker] = []
        /// A job that was taken leaves nil behind, so that what it holds goes with it.
        var queue: [Job?] = []
        /// Jobs before this index have been taken; cut off in batches.
        var queueHead = 0
        var isStopping = false
    }

    private let state = Monitor(State())
    private let name: String
    private let threadsMax: Int
    private let queueMax: Int

    /// - Parameters:
    ///   - name: of its threads, `name-N`; at most 10 bytes.
    ///   - threadsMax: threads at most; above 0.
    ///   - queueMax: jobs that may wait while all threads are busy.
    package init(name: String, threadsMax: Int, queueMax: Int) {
        precondition(threadsMax > 0 && queueMax >= 0, "a pool has at least one thread")
        self.name = name
        self.threadsMax = threadsMax
        self.queueMax = queueMax
    }

    /// Runs a job on one of the threads, soon. Never blocks. False where the queue is full or the pool stops: the job
    /// will not run.
    package func submit(_ job: @escaping Job) -> Bool {
        let plan: Plan = state.withLock { state in
            if state.isStopping { return .refused }
            if let worker = state.idle.popLast() { return .wake(worker) }
            if state.workers.count < threadsMax {
                let worker = Worker()
                state.workers.append(worker)
                // Started under the lock, so that `stop` joins it for certain.
                let number = state.workers.count
                worker.start(named: "\(name)-\(number)", first: job) { [self] in next(after: worker) }
                return .done
            }
            if state.queue.count - state.queueHead >= queueMax { return .refused }
            state.queue.append(job)
            return .done
        }
        switch plan {
        case .refused: return false
        case .done: return true
        case .wake(let worker):
            worker.give(.run(job))
            return true
        }
    }

    /// Whether a job waits for a thread.
    package var hasWaitingJobs: Bool { state.withLock { $0.queueHead < $0.queue.count } }

    /// Takes no more jobs, finishes those that were taken, and joins the threads. Thread: any but the pool's own.
    package func stop() {
        let (idle, workers) = state.withLock { state in
            state.isStopping = true
            defer { state.idle = [] }
            return (state.idle, state.workers)
        }
        for worker in idle { worker.give(.stop) }
        for worker in workers { worker.join() }
    }

    /// What a worker does next: a waiting job, the end, or nil to sleep until one is given to it.
    private func next(after worker: Worker) -> Order? {
        state.withLock { state in
            if state.queueHead < state.queue.count {
                let job = state.queue[state.queueHead]
                state.queue[state.queueHead] = nil
                state.queueHead += 1
                if state.queueHead == state.queue.count || state.queueHead >= 256 {
                    state.queue.removeFirst(state.queueHead)
                    state.queueHead = 0
                }
                if let job { return .run(job) }
            }
            if state.isStopping { return .stop }
            state.idle.append(worker)
            return nil
        }
    }

    private enum Plan { case refused, done, wake(Worker) }
    private enum Order: Sendable { case run(Job), stop }

    /// One thread and the place where it is given its orders.
    private final class Worker: Sendable {
        private let order = Monitor<Order?>(nil)
        private let thread = Monitor<ThreadHandle?>(nil)

        func start(named name: String, first job: @escaping Job, next: @escaping @Sendable () -> Order?) {
            let order = order
            let handle = ThreadHandle(named: name) {
                job()
                while true {
                    switch next() ?? Self.await(order) {
                    case .run(let job): job()
                    case .stop: return
                    }
                }
            }
            thread.withLock { $0 = handle }
        }

        func give(_ next: Order) { order.update { $0 = next } }

        func join() { thread.withLock { $0 }?.join() }

        private static func await(_ order: Monitor<Order?>) -> Order {
            order.wait { order in
                defer { order = nil }
                return order
            }
        }
    }
}
