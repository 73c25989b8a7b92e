import Compression
import Platform

/// A build log as it is stored: one zstd stream. It is made from the log's bytes as they come, so that a long log takes no more
/// memory than what is kept of it.
struct StoredLog {
    let body: [UInt8]
    /// What it stands for, in bytes.
    let byteCount: Int64

    /// Text compresses well and fast at this level: five times what a connection brings.
    private static let level: Int32 = 6

    /// Takes in a request's body.
    ///
    /// - Throws: `.tooLarge` where it has more than `Bounds` allow, before or after it is compressed.
    init(_ call: Call) throws {
        let encoder = StreamEncoder(.zstd, level: StoredLog.level)
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { unsafe room.deallocate() }
        var body: [UInt8] = []
        var byteCount: Int64 = 0
        func keep(_ piece: UnsafeRawBufferPointer) throws(Problem) {
            guard body.count + piece.count <= Bounds.buildLogStoredBytesMax else {
                throw .tooLarge(
                    "compressed, the build log has more than \(Bounds.buildLogStoredBytesMax) bytes, the most that is kept of one.")
            }
            unsafe body.append(contentsOf: piece)
        }
        try unsafe call.forEachDecodedBuffer(upTo: Bounds.buildLogBytesMax) { bytes in
            byteCount += Int64(bytes.count)
            try unsafe encoder.encode(bytes, through: room, keep)
        }
        try unsafe encoder.finish(through: room, keep)
        self.body = body
        self.byteCount = byteCount
    }
}
