import HTTPServer
import Platform

/// Writes the access log: a line a request, many lines a call.
///
/// A busy server has more requests a second than a logger that stamps and writes each line by itself could keep up with.
/// Headers are never logged: tokens are among them. Thread: accesses.
struct AccessLog {
    private var text: [UInt8] = []
    private var second: Int64 = .min
    private var stamp: [UInt8] = []

    /// `2026-11-22T17:23:35Z GET /hello/nix-cache-info 200, 196 bytes, 0.3 ms, from 127.0.0.1, request 91f77ecadcb41164`
    ///
    /// - Parameter request: method and target, as the batch has them.
    mutating func add(_ record: AccessRecord, request: ArraySlice<UInt8>) {
        if record.time.seconds != second {
            second = record.time.seconds
            stamp = Array("\(record.time.text) ".utf8)
        }
        text += stamp
        text += request
        text.append(UInt8(ascii: " "))
        append(Int64(record.status.code))
        append(", ")
        append(record.sentByteCount)
        append(" bytes, ")
        let tenths = record.duration.wholeNanoseconds / 100_000
        append(tenths / 10)
        text.append(UInt8(ascii: "."))
        append(tenths % 10)
        append(" ms, from ")
        record.peer.appendHost(to: &text)
        append(", request ")
        record.requestID.append(to: &text)
        if !record.isComplete { append(", not sent whole") }
        text.append(UInt8(ascii: "\n"))
        if text.count >= AccessLog.writeBytes { write() }
    }

    /// Writes what was added.
    mutating func write() {
        if text.isEmpty { return }
        Terminal.write(text)
        text.removeAll(keepingCapacity: true)
    }

    /// As many bytes go out in one call.
    private static let writeBytes = 64 << 10

    private mutating func append(_ number: Int64) {
        if number >= 10 { append(number / 10) }
        text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10))
    }

    private mutating func append(_ words: StaticString) {
        unsafe text.append(contentsOf: UnsafeBufferPointer(start: words.utf8Start, count: words.utf8CodeUnitCount))
    }
}
