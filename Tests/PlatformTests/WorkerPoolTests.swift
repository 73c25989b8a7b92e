import Glibc
import Platform
import Testing

@Suite struct WorkerPoolTests {
    @Test func everyJobThatWasTakenRunsOnce() {
        let pool = WorkerPool(name: "test", threadsMax: 3, queueMax: 10_000)
        let counter = SharedCounter()
        for _ in 0..<5000 { #expect(pool.submit { counter.add() }) }
        pool.stop()
        #expect(counter.value == 5000)
        #expect(!pool.submit {}, "a pool that was stopped takes nothing")
    }

    @Test func aFullQueueRefuses() {
        let pool = WorkerPool(name: "test", threadsMax: 2, queueMax: 3)
        let gate = Monitor(false)
        let blocked: WorkerPool.Job = { _ = gate.wait { isOpen -> Bool? in isOpen ? true : nil } }
        for _ in 0..<5 { #expect(pool.submit(blocked)) }
        #expect(!pool.submit(blocked))
        gate.update { $0 = true }
        pool.stop()
    }

    @Test func anIdleThreadIsUsedAgain() {
        let pool = WorkerPool(name: "test", threadsMax: 1, queueMax: 0)
        let threads = Monitor<[UInt]>([])
        for round in 1...100 {
            // The thread is idle only a moment after it said that it was done.
            let limit = MonotonicTime.now + .seconds(30)
            var isTaken = false
            while !isTaken && MonotonicTime.now < limit {
                isTaken = pool.submit { threads.update { $0.append(UInt(pthread_self())) } }
            }
            guard isTaken else {
                Issue.record("the idle thread takes no job in round \(round)")
                break
            }
            threads.wait { $0.count == round ? () : nil }
        }
        #expect(Set(threads.withLock { $0 }).count == 1)
        pool.stop()
    }
}
