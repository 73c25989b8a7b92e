import Synchronization

/// A running thread as something that can be shared and kept in arrays. It must be joined before the last owner lets go.
package final class ThreadHandle: Sendable {
    private let thread: Mutex<Thread?>

    /// Starts a thread; see `Thread`.
    package init(named name: String, _ body: @escaping @Sendable () -> Void) {
        thread = Mutex(Thread(named: name, body))
    }

    /// Waits until the thread has ended. A second call returns at once.
    package func join() {
        var taken: Thread? = thread.withLock { thread in thread.take() }
        taken.take()?.join()
    }
}
