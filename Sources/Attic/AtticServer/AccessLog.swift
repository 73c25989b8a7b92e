import HTTPServer
import Platform

/// Writes the access log: a line a request, many lines a call.
///
/// A busy server has more requests a second than a logger that stamps and writes each line by itself could keep up with.
/// Headers are never logged: tokens are among them. Thread: upkeep.
struct AccessLog {
    private var text: [UInt8] = []
    private var second: Int64 = .min
    private var stamp: [UInt8] = []
    /// Whose line was last, and its host as text: the next is often of the same.
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
        if peer?.hasHost(of: record.peer) != true {
            peer = record.peer
            host.removeAll(keepingCapacity: true)
            record.peer.appendHost(to: &host)
        }
        text += stamp
        text += request
        // One line is put together for each request that there is: in memory of its own, so that no piece looks for room.
        unsafe withUnsafeTemporaryAllocation(byteCount: AccessLog.restBytesMax + host.count, alignment: 1) { room in
            var line = unsafe Line(room)
            line.append(" ")
            line.append(Int64(record.status.code))
            line.append(", ")
            line.append(record.sentByteCount)
            line.append(" bytes, ")
            let tenths = record.durationNanoseconds / 100_000
            line.append(tenths / 10)
            line.append(".")
            line.append(tenths % 10)
            line.append(" ms, from ")
            unsafe host.span.withUnsafeBytes { unsafe line.append($0) }
            line.append(", request ")
            unsafe record.requestID.withText { unsafe line.append($0) }
            if !record.isComplete { line.append(", not sent whole") }
            line.append("\n")
            unsafe text.append(contentsOf: line.bytes)
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
    /// What stands behind the request takes at most, without the host: three numbers of 19 digits, and the words.
    private static let restBytesMax = 192
}

/// Text in memory that has room for it.
@safe private struct Line {
    private let room: UnsafeMutableRawBufferPointer
    private var count = 0

    init(_ room: UnsafeMutableRawBufferPointer) { unsafe self.room = unsafe room }

    var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(rebasing: room[..<count]) }

    mutating func append(_ words: StaticString) {
        unsafe append(UnsafeRawBufferPointer(start: words.utf8Start, count: words.utf8CodeUnitCount))
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        unsafe UnsafeMutableRawBufferPointer(rebasing: room[count..<(count + bytes.count)]).copyMemory(from: bytes)
        count += bytes.count
    }

    /// A number that is not below zero.
    mutating func append(_ number: Int64) {
        if number >= 10 { append(number / 10) }
        unsafe room[count] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10)
        count += 1
    }
}
