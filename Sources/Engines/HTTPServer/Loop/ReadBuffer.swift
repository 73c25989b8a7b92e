import Platform

/// A buffer of a loop's pool. It fits a head of the largest size allowed.
///
/// Thread: loop.
final class ReadBuffer {
    var bytes: ByteBuffer
    init(capacity: Int) { bytes = ByteBuffer(capacity: capacity) }
}

/// Buffers that wait to be used again; some, so that a burst does not stay in memory for ever.
///
/// Thread: loop.
struct BufferPool {
    private var free: [ReadBuffer] = []
    let bufferBytes: Int
    private let keptMax = 32

    init(bufferBytes: Int) { self.bufferBytes = bufferBytes }

    mutating func take() -> ReadBuffer { free.popLast() ?? ReadBuffer(capacity: bufferBytes) }

    mutating func giveBack(_ buffer: ReadBuffer) {
        buffer.bytes.clear()
        if free.count < keptMax { free.append(buffer) }
    }
}
