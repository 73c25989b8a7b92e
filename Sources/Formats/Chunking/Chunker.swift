/// Cuts a stream that comes in pieces, with one buffer and no copy of a chunk: the caller fills the buffer's free room in
/// place and takes chunks as they lie in it.
///
///     var chunker = Chunker(FastCDC(sizes: sizes))
///     while let count = read more, by chunker.withRoom({ read(into: $0) }), count > 0 {
///         while chunker.withNextChunk({ store($0) }) != nil {}
///     }
///     chunker.finish()
///     while chunker.withNextChunk({ store($0) }) != nil {}
///
/// A chunk is cut when the maximum lies in the buffer, or the stream has ended: so the cut points are those of the
/// whole, however the stream was split, and no byte is hashed twice. The buffer holds four maxima; what was not cut yet,
/// less than one, moves to its front when the room behind it gets scarce.
///
/// Thread: whichever has it, one at a time.
@safe package struct Chunker: ~Copyable {
    private let cutter: FastCDC
    private let buffer: UnsafeMutableRawBufferPointer
    /// The bytes that no chunk was made of yet are `head..<tail`.
    private var head = 0
    private var tail = 0
    private var isFinished = false

    private static var maximaInBuffer: Int { 4 }

    /// A chunker for one stream; `reset` makes it ready for another.
    package init(_ cutter: FastCDC) {
        self.cutter = cutter
        unsafe buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: cutter.sizes.maximum * Self.maximaInBuffer, alignment: 64)
    }

    deinit { unsafe buffer.deallocate() }

    /// How many bytes wait for a cut.
    package var pendingByteCount: Int { tail - head }

    /// How many bytes the buffer holds at most.
    package var capacity: Int { unsafe buffer.count }

    /// Lends the free room to `body`, which writes to its front and returns how many bytes; the same is returned here.
    ///
    /// At least one maximum is free when the chunks that could be taken were taken, so the room is never empty.
    /// Traps where the buffer is full because chunks were not taken, or after `finish`.
    package mutating func withRoom<Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        precondition(!isFinished, "a finished chunker takes no more bytes")
        makeRoom()
        let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[tail...])
        precondition(room.count > 0, "chunks must be taken before more bytes are given")
        let count = try unsafe body(room)
        precondition((0...room.count).contains(count), "no more can be written than there is room")
        tail += count
        return count
    }

    /// Copies as many of `bytes` as there is room for, and returns how many; take chunks and come again with the rest.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard bytes.count > 0 else { return 0 }
        return unsafe withRoom { room in
            let count = min(room.count, bytes.count)
            unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            return count
        }
    }

    /// Says that no bytes follow: what is left is cut to its end.
    package mutating func finish() { isFinished = true }

    /// Begins another stream; what was not taken is forgotten.
    package mutating func reset() {
        head = 0
        tail = 0
        isFinished = false
    }

    /// Lends the next chunk to `body` and then counts it as taken, also when `body` throws.
    ///
    /// - Returns: what `body` returned; nil where the next cut cannot be known yet, or, after `finish`, at the end.
    package mutating func withNextChunk<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard tail - head >= (isFinished ? 1 : cutter.sizes.maximum) else { return nil }
        let count = unsafe cutter.cut(UnsafeRawBufferPointer(rebasing: buffer[head..<tail]))
        let chunk = unsafe UnsafeRawBufferPointer(rebasing: buffer[head..<head + count])
        head += count
        return try unsafe body(chunk)
    }

    /// Moves what waits to the front when less than one maximum is free behind it: at most one byte in three is moved.
    private mutating func makeRoom() {
        if head == tail {
            head = 0
            tail = 0
        } else if unsafe head > 0 && buffer.count - tail < cutter.sizes.maximum {
            let pending = unsafe UnsafeRawBufferPointer(rebasing: buffer[head..<tail])
            unsafe buffer.copyMemory(from: pending)
            tail -= head
            head = 0
        }
    }
}
