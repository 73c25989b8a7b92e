import Platform

/// Leave to open streams that need much memory: a few uploads have it at once, the others wait. Thread: transfer.
package final class LargeWindows: Sendable {
    /// Held as long as the memory is.
    final class Leave: Sendable {
        private let windows: LargeWindows
        fileprivate init(_ windows: LargeWindows) { self.windows = windows }
        deinit { windows.free.update { $0 += 1 } }
    }

    private let free: Monitor<Int>

    /// - Parameter count: how many have it at once; above 0.
    package init(count: Int) {
        precondition(count > 0, "somebody must be able to go on")
        free = Monitor(count)
    }

    /// Waits until there is room for one more.
    func wait() -> Leave {
        free.wait { free -> Void? in
            guard free > 0 else { return nil }
            free -= 1
            return ()
        }
        return Leave(self)
    }
}
