import Logging
import Platform

/// The log of a program: lines on standard error.
package enum OperatorLog {
    /// - Parameter program: whose lines they are.
    package static func make(_ program: String) -> Logger {
        Logger(label: program) { EscapingLogHandler(StreamLogHandler.standardError(label: $0)) }
    }
}

/// Writes control characters out before a line goes on: what a line says of a request may hold bytes that a stranger chose, and
/// one event is one line.
struct EscapingLogHandler: LogHandler {
    private var next: any LogHandler

    init(_ next: any LogHandler) { self.next = next }

    func log(event: LogEvent) {
        var event = event
        event.message = Logger.Message(stringLiteral: "\(event.message)".escapingControls())
        event.metadata = event.metadata?.mapValues { .string("\($0)".escapingControls()) }
        next.log(event: event)
    }

    var metadata: Logger.Metadata {
        get { next.metadata }
        set { next.metadata = newValue }
    }
    var metadataProvider: Logger.MetadataProvider? {
        get { next.metadataProvider }
        set { next.metadataProvider = newValue }
    }
    var logLevel: Logger.Level {
        get { next.logLevel }
        set { next.logLevel = newValue }
    }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { next[metadataKey: key] }
        set { next[metadataKey: key] = newValue }
    }
}
