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

    /// Waits until there is room for one more, for a while.
    ///
    /// - Throws: `.conflict` after that, which plain Nix takes as final.
    func wait(_ limit: Duration = .seconds(Bounds.largeWindowWaitSeconds)) throws(Problem) -> Leave {
        let isFree: Void? = free.wait(until: .now + limit) { free -> Void? in
            guard free > 0 else { return nil }
            free -= 1
            return ()
        }
        guard isFree != nil else {
            throw .conflict(
                """
                to open this file takes more than \(Bounds.smallWindowBytesMax) bytes of memory, and others take what there is for that: push \
                again later, or compressed with a smaller window (zstd to level 19, xz to level 7).
                """)
        }
        return Leave(self)
    }
}
