/// A fixed piece of memory that is filled at its tail and taken from at its head.
///
/// The bytes in it are `head ..< tail`. Whoever owns the buffer owns the memory; it is never zeroed, and reading is
/// limited to what was committed, so nobody sees what an earlier user left.
@safe package struct ByteBuffer: ~Copyable {
    private let memory: UnsafeMutableRawBufferPointer
    private var head = 0
    private var tail = 0

    /// - Parameter capacity: bytes that fit; above 0.
    package init(capacity: Int) {
        precondition(capacity > 0, "a buffer holds at least a byte")
        unsafe memory = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { unsafe memory.deallocate() }

    package var capacity: Int { unsafe memory.count }
    /// Bytes that wait to be taken.
    package var byteCount: Int { tail - head }
    package var isEmpty: Bool { head == tail }
    /// Bytes that can be added without moving what is there.
    package var roomByteCount: Int { unsafe memory.count - tail }

    /// The bytes that wait, lent until the buffer is changed.
    package var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: memory[head..<tail])
    }

    /// The free memory behind the tail, to be filled and then committed; lent until the buffer is changed.
    package var room: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(rebasing: memory[tail...])
    }

    /// Counts the first `count` bytes of `room` as filled.
    package mutating func commit(_ count: Int) {
        precondition(count >= 0 && count <= roomByteCount, "more was committed than there was room for")
        tail += count
    }

    /// Drops the first `count` bytes.
    package mutating func take(_ count: Int) {
        precondition(count >= 0 && count <= byteCount, "more was taken than there was")
        head += count
        if head == tail { clear() }
    }

    /// Drops everything.
    package mutating func clear() {
        head = 0
        tail = 0
    }

    /// Moves what waits to the front, so that all free memory lies behind it.
    package mutating func compact() {
        guard head > 0 else { return }
        let count = byteCount
        unsafe memory.copyMemory(from: bytes)
        head = 0
        tail = count
    }

    /// Adds as many of `source` as fit without moving; how many.
    package mutating func append(_ source: UnsafeRawBufferPointer) -> Int {
        let count = min(source.count, roomByteCount)
        unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<count]))
        tail += count
        return count
    }
}
