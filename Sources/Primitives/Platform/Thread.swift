import CLinux
import Glibc

/// A thread of the operating system. It must be joined: dropping one that was not is a bug, and traps.
package struct Thread: ~Copyable, Sendable {
    private let handle: pthread_t

    /// Starts a thread.
    ///
    /// - Parameters:
    ///   - name: shown by the kernel's tools; at most 15 bytes.
    ///   - body: what it runs. It ends when this returns.
    package init(named name: String, _ body: @escaping @Sendable () -> Void) {
        precondition(name.utf8.count <= 15, "a thread's name has at most 15 bytes")
        let start = unsafe Unmanaged.passRetained(Start(name: name, body: body)).toOpaque()
        var handle = pthread_t()
        let code = unsafe pthread_create(&handle, nil, { context in
            guard let context = unsafe context else { return nil }
            let start = unsafe Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
            _ = unsafe clinux_set_thread_name(start.name)
            start.body()
            return nil
        }, start)
        // The only cause is a machine out of memory or threads: nothing can be answered then.
        precondition(code == 0, "cannot start thread \(name): \(Errno(code))")
        self.handle = handle
    }

    private var isJoined = false

    deinit { precondition(isJoined, "a thread was dropped without being joined") }

    /// Waits until the thread has ended.
    package consuming func join() {
        pthread_join(handle, nil)
        isJoined = true
    }

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
