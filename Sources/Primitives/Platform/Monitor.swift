import Glibc

/// State shared between threads that may block: a mutex, a condition and the state they guard.
///
/// Every change is announced to all who wait, so a waiter states what it waits for and nobody counts signals.
/// This is the only `@unchecked Sendable` there is: `state` is reached under the mutex and nowhere else. It lies behind a pointer: of a
/// property the runtime would look for overlapping accesses, which the mutex rules out already, each time.
@safe package final class Monitor<State>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private let state: UnsafeMutablePointer<State>

    package init(_ state: sending State) {
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        // Waits with a limit count on the clock that never jumps.
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
        unsafe self.state = .allocate(capacity: 1)
        unsafe self.state.initialize(to: state)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe pthread_cond_destroy(condition)
        unsafe mutex.deallocate()
        unsafe condition.deallocate()
        unsafe state.deinitialize(count: 1)
        unsafe state.deallocate()
    }

    /// Reads or changes the state, and wakes all who wait for it. The body must not call into this monitor again.
    package func update<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        unsafe pthread_mutex_lock(mutex)
        defer {
            unsafe pthread_cond_broadcast(condition)
            unsafe pthread_mutex_unlock(mutex)
        }
        return try unsafe body(&state.pointee)
    }

    /// Reads or changes the state, and wakes nobody: for what nobody waits for. The body must not call into this monitor again.
    package func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try unsafe body(&state.pointee)
    }

    /// Wakes all who wait, where `withLock` has found that it is time.
    package func wakeAll() { unsafe pthread_cond_broadcast(condition) }

    /// Waits until `body` answers something, and gives that. `body` may change the state when it answers; the
    /// change is announced. It is asked at once, and again after every `update`.
    package func wait<Result>(_ body: (inout State) -> sending Result?) -> sending Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let result = unsafe body(&state.pointee) {
                unsafe pthread_cond_broadcast(condition)
                return result
            }
            unsafe pthread_cond_wait(condition, mutex)
        }
    }

    /// As `wait`, but gives up at `deadline` and answers nil.
    package func wait<Result>(until deadline: MonotonicTime, _ body: (inout State) -> sending Result?) -> sending Result? {
        var limit = deadline.timespec
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let result = unsafe body(&state.pointee) {
                unsafe pthread_cond_broadcast(condition)
                return result
            }
            if unsafe pthread_cond_timedwait(condition, mutex, &limit) == ETIMEDOUT { return unsafe body(&state.pointee) }
        }
    }
}
