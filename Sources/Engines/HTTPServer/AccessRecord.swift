import HTTP
import Platform

/// One line of the access log: what came of a request. What was asked for stands in the `AccessBatch` around it.
///
/// Made on a loop, so it holds values and makes no text; that is for whoever writes the log.
package struct AccessRecord: Sendable {
    /// When the request's head was there.
    package let time: WallTime
    /// From then until the last byte of the answer had been given to the kernel; zero where both fell into one turn of the loop.
    package let durationNanoseconds: Int64
    package let peer: SocketAddress
    package let requestID: RequestID
    /// `.clientClosedRequest` where the client went away before its request had come whole, or before there was an answer.
    package let status: Status
    /// Bytes of the answer that were sent, its head counted.
    package let sentByteCount: Int64
    /// False where the client went away, or was too slow, before the answer was sent whole.
    package let isComplete: Bool
    /// Where the request stands in the batch's text.
    var text: Range<Int>
}

/// The requests that were answered since someone took the last batch: values, and one stretch of bytes for what was asked.
///
/// Nothing is made for a single request, so a loop that answers out of memory allocates nothing, and a head's memory is free
/// again as soon as it was answered.
package struct AccessBatch: Sendable {
    package private(set) var records: [AccessRecord] = []
    private var text: [UInt8] = []

    package init() {}

    package var isEmpty: Bool { records.isEmpty }
    /// What waits here, in bytes.
    package var byteCount: Int { records.count * MemoryLayout<AccessRecord>.stride + text.count }

    /// What was asked for in a record of this batch: `GET /hello/nix-cache-info`, the path as it was sent, without its query; `- -` where the head could not be understood.
    package func request(of record: AccessRecord) -> ArraySlice<UInt8> { text[record.text] }

    /// Adds those of another batch.
    package mutating func append(_ other: AccessBatch) {
        let start = text.count
        text.append(contentsOf: other.text)
        for record in other.records {
            var record = record
            record.text = record.text.lowerBound + start..<record.text.upperBound + start
            records.append(record)
        }
    }

    /// Begins anew, with the memory that is there.
    package mutating func removeAll() {
        records.removeAll(keepingCapacity: true)
        text.removeAll(keepingCapacity: true)
    }

    /// Adds the answer that a connection has given; nothing where there was none, and the client is not why.
    mutating func add(_ connection: borrowing Connection, isComplete: Bool, now: MonotonicTime) {
        let isAbandoned = connection.exchange?.isAbandoned ?? false
        guard let status = isAbandoned ? .clientClosedRequest : connection.exchange?.status, let began = connection.exchange?.began,
            let time = connection.exchange?.time, let id = connection.exchange?.id
        else { return }
        let start = text.count
        if let head = connection.exchange?.head { head.appendRequest(to: &text) } else { text.append(contentsOf: AccessBatch.unknown) }
        records.append(AccessRecord(
            time: time, durationNanoseconds: now.nanoseconds - began.nanoseconds, peer: connection.peer, requestID: id,
            status: status, sentByteCount: connection.exchange?.sentByteCount ?? 0, isComplete: isComplete,
            text: start..<text.count))
    }

    private static let unknown = Array("- -".utf8)
}
