import HTTP
import Platform

/// Why a body that is made while it is sent cannot go on.
package enum ResponseBodyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The client went away, was too slow, or the server stops: nobody wants more.
    case unwanted
    /// It came out longer or shorter than its answer promised.
    case otherLength(promised: Int64, made: Int64)

    package var description: String {
        switch self {
        case .unwanted: "nobody waits for the answer's body any more"
        case .otherLength(let promised, let made):
            "an answer's body of \(promised) bytes was promised, and \(made) were made"
        }
    }
}

/// Where the bytes of a `ResponseBody.stream` go as they are made.
///
/// They are gathered in a block, and leave when it is full, at `flush` and at the end; a writer that is ahead of the
/// client waits. What stands around the chunks of a chunked body (RFC 9112, section 7.1) is put into the same block,
/// so that the loop sends bytes and knows nothing of it.
///
/// Thread: the producer's.
package final class BodyWriter {
    private let outlet: ByteOutlet
    private let framing: ResponseFraming
    /// The block that is being filled, and the bytes of the body in it.
    private var block: ByteBlock?
    private var filled = 0
    /// Bytes of the body so far.
    package private(set) var byteCount: Int64 = 0

    /// In a block, before the bytes of the body: the largest size line there can be.
    private static let frontByteCount = 16 + 2
    /// Behind them: the chunk's line end, and the empty chunk that ends the body.
    private static let backByteCount = 2 + 5
    /// A block below this size holds no byte of a body.
    static let blockByteCountMin = frontByteCount + 1 + backByteCount

    /// - Parameter framing: how the body ends; not `none`.
    init(_ outlet: ByteOutlet, framing: ResponseFraming) {
        self.outlet = outlet
        self.framing = framing
    }

    /// Whether anybody still waits for what is written: for whoever works for long before there is something to write.
    package var isWanted: Bool { !outlet.isAbandoned }

    /// Adds bytes, which are copied.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(ResponseBodyError) {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            let count = try unsafe fill { room throws(ResponseBodyError) in
                let count = min(room.count, rest.count)
                unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
                return count
            }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// The same of an array.
    package func write(_ bytes: [UInt8]) throws(ResponseBodyError) {
        try unsafe bytes.span.withUnsafeBytes { bytes throws(ResponseBodyError) in try unsafe write(bytes) }
    }

    /// Lends room, never empty, to `body`, which writes to its front and says how many bytes; the same is returned. So
    /// whoever makes the bytes makes them where they are sent from.
    ///
    /// - Throws: what `body` throws, or a `ResponseBodyError`.
    package func fill(_ body: (UnsafeMutableRawBufferPointer) throws -> Int) throws -> Int {
        try unsafe fill(failed: { $0 }, body)
    }

    private func fill(
        _ body: (UnsafeMutableRawBufferPointer) throws(ResponseBodyError) -> Int
    ) throws(ResponseBodyError) -> Int {
        try unsafe fill(failed: { $0 }, body)
    }

    private func fill<Failure: Error>(
        failed: (ResponseBodyError) -> Failure, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        guard let block = block ?? outlet.takeBlock() else { throw failed(.unwanted) }
        self.block = block
        let start = Self.frontByteCount + filled
        let room = unsafe block.memory(start..<block.byteCount - Self.backByteCount)
        let count = try unsafe body(room)
        precondition(count >= 0 && count <= room.count, "no more can be written than there is room")
        if case .contentLength(let promised) = framing, byteCount + Int64(count) > promised {
            throw failed(.otherLength(promised: promised, made: byteCount + Int64(count)))
        }
        filled += count
        byteCount += Int64(count)
        if count == room.count { flush() }
        return count
    }

    /// Lets what was written leave now, for bodies that come in bursts.
    package func flush() { handOver(isLast: false) }

    /// The body has been written, all of it.
    func finish() throws(ResponseBodyError) {
        if case .contentLength(let promised) = framing, byteCount != promised {
            throw .otherLength(promised: promised, made: byteCount)
        }
        if framing == .chunked, block == nil {
            guard let next = outlet.takeBlock() else { throw .unwanted }
            block = next
        }
        handOver(isLast: true)
    }

    private func handOver(isLast: Bool) {
        guard let block else { return }
        var range = Self.frontByteCount..<Self.frontByteCount + filled
        if framing == .chunked {
            if filled > 0 {
                let line = ChunkedEncoder.prefix(byteCount: filled)
                range = put(line, at: range.lowerBound - line.count, in: block).lowerBound..<range.upperBound
                range = range.lowerBound..<put(ChunkedEncoder.suffix, at: range.upperBound, in: block).upperBound
            }
            if isLast { range = range.lowerBound..<put(ChunkedEncoder.end, at: range.upperBound, in: block).upperBound }
        }
        if range.isEmpty { return }
        outlet.hand(block, range)
        self.block = nil
        filled = 0
    }

    /// All that a stream's producer writes, without a client: for tests of handlers.
    package static func bytes(
        of produce: (BodyWriter) throws -> Void, byteCount: Int64?
    ) throws -> [UInt8] {
        let outlet = ByteOutlet(blockByteCount: 64 << 10, blockCountMax: .max, onBytes: {})
        let writer = BodyWriter(outlet, framing: byteCount.map(ResponseFraming.contentLength) ?? .untilClose)
        try produce(writer)
        try writer.finish()
        outlet.finish(isWhole: true)
        var bytes: [UInt8] = []
        while case .bytes = unsafe outlet.take(atMost: .max, { piece in
            unsafe bytes.append(contentsOf: piece)
            return piece.count
        }) {}
        return bytes
    }

    private func put(_ bytes: [UInt8], at offset: Int, in block: ByteBlock) -> Range<Int> {
        let range = offset..<offset + bytes.count
        unsafe block.memory(range).copyBytes(from: bytes)
        return range
    }
}
