import Glibc

/// Tells which names go away from a directory (inotify(7)): removed, or renamed.
///
/// Thread: one at a time.
package final class DirectoryWatch {
    /// What was seen.
    package struct Removals: Hashable, Sendable {
        /// In the order in which they went.
        package var names: [String] = []
        /// The kernel's queue was full, so some may be missing here.
        package var areIncomplete = false
        /// The directory itself is gone: nothing more will come.
        package var isOver = false
    }

    private let descriptor: FileDescriptor
    private let path: String
    private static let bufferByteCount = 64 << 10

    /// Begins to watch: what goes after this is told.
    ///
    /// - Throws: where there is no such directory, it cannot be read, or the user watches too much already.
    package init(_ path: String) throws(SystemError) {
        self.path = path
        let number = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
        guard number >= 0 else { throw SystemError("watch", path, .current) }
        descriptor = FileDescriptor(owning: number)
        let events = UInt32(IN_DELETE) | UInt32(IN_MOVED_FROM) | UInt32(IN_DELETE_SELF) | UInt32(IN_ONLYDIR)
        guard unsafe inotify_add_watch(number, path, events) >= 0 else { throw SystemError("watch", path, .current) }
    }

    /// What went since the last call. Waits for it: for ever, or `atMost` that long, then the answer may be empty.
    package func next(atMost limit: Duration? = nil) throws(SystemError) -> Removals {
        let deadline = limit.map { MonotonicTime.now + $0 }
        while true {
            let found = try read()
            if found != Removals() { return found }
            var timeout: Int32 = -1
            if let deadline {
                let left = (deadline - .now).wholeNanoseconds
                if left <= 0 { return found }
                timeout = Int32(clamping: (left + 999_999) / 1_000_000)
            }
            var waited = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
            // Interrupted or not, what is there is read next.
            _ = unsafe poll(&waited, 1, timeout)
        }
    }

    /// Reads what the kernel has; nothing is a value too.
    private func read() throws(SystemError) -> Removals {
        var removals = Removals()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferByteCount, alignment: 8)
        defer { unsafe buffer.deallocate() }
        let count = unsafe Glibc.read(descriptor.rawValue, buffer.baseAddress, buffer.count)
        if count < 0 {
            let cause = Errno.current
            if cause == .wouldBlock || cause == .interrupted { return removals }
            throw SystemError("watch", path, cause)
        }
        var position = 0
        let headByteCount = MemoryLayout<inotify_event>.size
        while position + headByteCount <= count {
            let event = unsafe buffer.loadUnaligned(fromByteOffset: position, as: inotify_event.self)
            let nameStart = position + headByteCount
            position = nameStart + Int(event.len)
            guard position <= count else { break }
            if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { removals.areIncomplete = true }
            if event.mask & UInt32(IN_DELETE_SELF | IN_IGNORED) != 0 { removals.isOver = true }
            if event.mask & (UInt32(IN_DELETE) | UInt32(IN_MOVED_FROM)) != 0 {
                // The name is filled up with zeros.
                let name = unsafe buffer[nameStart..<position].prefix { $0 != 0 }
                removals.names.append(unsafe String(decoding: name, as: UTF8.self))
            }
        }
        return removals
    }
}
