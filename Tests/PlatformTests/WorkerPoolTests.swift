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
        let done = Monitor(0)
        for round in 1...100 {
            // The thread is idle only a moment after it said that it was done.
            while !pool.submit({ done.update { $0 += 1 } }) {}
            _ = done.wait { count -> Bool? in count == round ? true : nil }
        }
        pool.stop()
    }
}
