import Logging
import Platform
import Testing

@testable import AtticServer

/// Keeps what it is given.
private struct KeepingHandler: LogHandler {
    let lines: Monitor<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let words = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        lines.update { $0.append("\(event.message) \(words.joined(separator: " "))") }
    }
}

@Suite("The log")
struct OperatorLogTests {
    @Test("has one line for each event, whatever a stranger put into it")
    func oneLine() {
        let lines = Monitor<[String]>([])
        let log = Logger(label: "test") { _ in EscapingLogHandler(KeepingHandler(lines: lines)) }
        log.error("database: \u{1B}[2Jx\n2026-11-23T00:00:00Z error forged", metadata: ["path": "/a\r\nb", "list": ["\u{9B}1m", "c"]])
        let kept = lines.withLock { $0 }
        #expect(kept.count == 1)
        #expect(kept.first?.hasPrefix("database: \\u{1b}[2Jx\\n2026-11-23T00:00:00Z error forged list=") == true)
        #expect(kept.first?.hasSuffix(" path=/a\\r\\nb") == true)
        #expect(kept.first?.unicodeScalars.contains { $0.actsOnTerminals } == false)
    }
}
