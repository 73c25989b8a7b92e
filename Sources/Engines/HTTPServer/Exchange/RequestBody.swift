import Platform
import Synchronization

/// Why a body could not be read to its end.
package enum RequestBodyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is longer than whoever reads it, or the server, allows; in bytes.
    case tooLarge(byteCountMax: Int64)
    /// The client went away, or ended before the body did.
    case disconnected
    /// The client sent nothing for longer than the limits allow.
    case timedOut
    /// The chunked coding is wrong; with the reason.
    case malformed(String)

    package var description: String {
        switch self {
        case .tooLarge(let max): "the request's body is longer than \(max) bytes"
        case .disconnected: "the client went away before the request's body had ended"
        case .timedOut: "the client stopped sending the request's body"
        case .malformed(let reason): "the request's body is malformed: \(reason)"
        }
    }
}

/// The bytes that follow a request's head, as they come in, with the transfer coding taken off.
///
/// At most `Limits.bodyBufferBytes` wait here; the connection is not read while so much waits. Nothing of a body is
/// asked for (`100 Continue`) before the first read. One thread reads it at a time.
package final class RequestBody: Sendable {
    /// How many bytes the client announced; 0 without a body, nil where it comes in chunks.
    package let declaredByteCount: Int64?
    private let pipe: BytePipe<RequestBodyError>?
    private let wasAskedFor = Atomic(false)
    private let onFirstRead: @Sendable () -> Void

    /// A body that the loop feeds through a pipe.
    init(
        declaredByteCount: Int64?, pipe: BytePipe<RequestBodyError>, onFirstRead: @escaping @Sendable () -> Void
    ) {
        self.declaredByteCount = declaredByteCount
        self.pipe = pipe
        self.onFirstRead = onFirstRead
    }

    /// A body whose bytes are all there: none for most requests, some in tests of handlers.
    package init(_ bytes: [UInt8] = []) {
        declaredByteCount = Int64(bytes.count)
        onFirstRead = {}
        guard !bytes.isEmpty else {
            pipe = nil
            return
        }
        let pipe = BytePipe<RequestBodyError>(capacity: bytes.count, onRoom: {})
        let written = unsafe bytes.withUnsafeBytes { unsafe pipe.write($0) }
        precondition(written == bytes.count, "a pipe takes what it was made for")
        pipe.finish(.complete)
        self.pipe = pipe
    }

    /// Reads some bytes, waiting for the first of them.
    ///
    /// - Returns: how many; 0 at the end of the body.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(RequestBodyError) -> Int {
        guard let pipe else { return 0 }
        askForBytes()
        return try unsafe pipe.read(into: buffer)
    }

    /// Lends the next bytes of the body to `take`, waiting for the first of them: they lie where they were received, so
    /// nothing is copied. They count as read when `take` returns.
    ///
    /// - Returns: how many they were; 0 at the end of the body, where `take` is not called.
    /// - Throws: what `take` throws, or a `RequestBodyError`.
    package func withNextBytes(_ take: (UnsafeRawBufferPointer) throws -> Void) throws -> Int {
        guard let pipe else { return 0 }
        askForBytes()
        return try unsafe pipe.take(atMost: 128 << 10, failed: { $0 as any Error }, take)
    }

    private func askForBytes() {
        if !wasAskedFor.exchange(true, ordering: .relaxed) { onFirstRead() }
    }

    /// Reads everything that is still to come.
    ///
    /// - Throws: `tooLarge` where that is more than `byteCountMax`; before a byte is read where the client said so.
    package func readAll(byteCountMax: Int) throws(RequestBodyError) -> [UInt8] {
        guard pipe != nil else { return [] }
        let tooLarge = RequestBodyError.tooLarge(byteCountMax: Int64(byteCountMax))
        if let declaredByteCount, declaredByteCount > Int64(byteCountMax) { throw tooLarge }
        var bytes: [UInt8] = []
        // What was announced need not come: memory follows the bytes that do.
        var room = min(max(Int(declaredByteCount ?? 0), 4096), 256 << 10)
        while true {
            let start = bytes.count
            bytes.append(contentsOf: repeatElement(0, count: room))
            var span = bytes.mutableSpan
            let count = try unsafe span.withUnsafeMutableBytes { buffer throws(RequestBodyError) in
                try unsafe read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
            }
            bytes.removeLast(room - count)
            if count == 0 { return bytes }
            if bytes.count > byteCountMax { throw tooLarge }
            room = min(max(bytes.count, 4096), 256 << 10)
        }
    }
}
