import Compression
import Platform
import Testing

@testable import AtticServer

@Suite struct PressTests {
    /// What a job holds, as an upload's bytes.
    private final class Held: Sendable {}

    private struct Watch: Sendable {
        weak var held: Held?
    }

    @Test("What a done job held is free while others still wait")
    func doneJobsAreFreed() {
        let press = Press(threadCount: 1, kind: .zstd, level: 1)
        let first = Monitor(false)
        let last = Monitor(false)
        let hasReachedLast = Monitor(false)
        press.submit { _ in first.wait { $0 ? () : nil } }
        var held: Held? = Held()
        let watch = Monitor(Watch(held: held))
        if let kept = held { press.submit { _ in withExtendedLifetime(kept) {} } }
        held = nil
        press.submit { _ in
            hasReachedLast.update { $0 = true }
            last.wait { $0 ? () : nil }
        }
        press.submit { _ in }
        #expect(watch.withLock { $0.held != nil }, "it waits with its job")

        first.update { $0 = true }
        hasReachedLast.wait { $0 ? () : nil }
        #expect(watch.withLock { $0.held == nil })
        last.update { $0 = true }
        press.close()
    }

    @Test("Jobs run in the order in which they came, however many wait", arguments: [1, 63, 64, 65, 1000])
    func order(count: Int) {
        let press = Press(threadCount: 1, kind: .zstd, level: 1)
        let seen = Monitor<[Int]>([])
        for number in 0..<count { press.submit { _ in seen.update { $0.append(number) } } }
        press.close()
        #expect(seen.withLock { $0 } == Array(0..<count))
    }
}
