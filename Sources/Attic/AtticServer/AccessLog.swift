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
    /// Of the line before, as text: most lines are of few clients.
    private var peer: SocketAddress?
    private var host: [UInt8] = []

    /// `2026-11-22T17:23:35Z GET /hello/nix-cache-info 200, 196 bytes, 0.3 ms, from 127.0.0.1, request 91f77ecadcb41164`
    ///
    /// - Parameter request: method and target, as the batch has them.
    mutating func add(_ record: AccessRecord, request: ArraySlice<UInt8>) {
        if record.time.seconds != second {
            second = record.time.seconds
            stamp = Array("\(record.time.text) ".utf8)
        }
        if peer.map({ !$0.isOfSameHost(as: record.peer) }) ?? true {
            peer = record.peer
            host.removeAll(keepingCapacity: true)
            record.peer.appendHost(to: &host)
        }
        let tenths = record.durationNanoseconds / 100_000
        text.append(addingCapacity: stamp.count + request.count + host.count + AccessLog.otherBytesMax) { [stamp, host] line in
            line.append(stamp.span)
            line.append(request.span)
            line.append(" ")
            line.append(decimal: Int64(record.status.code))
            line.append(", ")
            line.append(decimal: record.sentByteCount)
            line.append(" bytes, ")
            if tenths == 0 {
                line.append("0.0")
            } else {
                line.append(decimal: tenths / 10)
                line.append(".")
                line.append(decimal: tenths % 10)
            }
            line.append(" ms, from ")
            line.append(host.span)
            line.append(", request ")
            record.requestID.append(to: &line)
            line.append(record.isComplete ? "\n" : ", not sent whole\n")
        }
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

    /// Of a line, beside time, request and host: three numbers, a status, the words between them, and the name of the request.
    private static let otherBytesMax = 160
}
