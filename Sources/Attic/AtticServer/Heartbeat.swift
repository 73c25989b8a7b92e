import Database
import Platform

/// Uses all connections to the database twice a minute, where the operator wants that (`heartbeat`): what lies between closes those that
/// are quiet, and with one that holds a lock the lock would be gone. Every mode that serves or collects has one; its thread is
/// `heartbeat`.
final class Heartbeat: Sendable {
    private static let interval = Duration.seconds(30)

    private let isStopping = Monitor(false)
    private let thread: ThreadHandle

    /// Begins; nil where it is not wanted.
    init?(_ configuration: Configuration, _ catalog: Catalog) {
        guard configuration.databaseHeartbeat else { return nil }
        thread = ThreadHandle(named: "heartbeat") { [isStopping] in
            while isStopping.wait(until: .now + Heartbeat.interval, { $0 ? true : nil }) == nil { catalog.touchConnections() }
        }
    }

    /// Ends the thread.
    func stop() {
        isStopping.update { $0 = true }
        thread.join()
    }
}
