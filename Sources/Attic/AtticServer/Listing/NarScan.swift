import Compression
import Database
import Nix
import Platform

/// Reads a NAR as it comes: checks that it is one, and makes its listing on the way.
///
/// Files' contents are counted and not looked at. Memory is the reader's, one step of the listing's text, and the listing
/// compressed, all of them bounded (`Bounds`).
struct NarScan {
    /// Text that is compressed at once; a listing below that needs no encoder before its end.
    private static let stepByteCount = 64 << 10

    private let textByteCountMax: Int
    private let frameByteCountMax: Int
    private var reader = NarReader()
    /// Nil when the listing has outgrown a bound: no more of it is made.
    private var writer: NarListingWriter?
    private var frame: ListingFrame?

    /// - Parameters:
    ///   - textByteCountMax: of a longer listing no more is made.
    ///   - frameByteCountMax: nor of one that has more bytes when it is compressed.
    ///   - makesListing: false where it is only to be checked whether it is a NAR.
    init(
        textByteCountMax: Int = Bounds.listingBytesMax, frameByteCountMax: Int = Bounds.listingFrameBytesMax, makesListing: Bool = true
    ) {
        writer = makesListing ? NarListingWriter() : nil
        self.textByteCountMax = textByteCountMax
        self.frameByteCountMax = frameByteCountMax
    }

    /// Takes the next bytes of the NAR.
    mutating func take(_ bytes: UnsafeRawBufferPointer) throws(NarError) {
        var position = 0
        while let event = try unsafe reader.next(in: bytes, at: &position) {
            writer?.add(event)
            if let waiting = writer?.waitingByteCount, waiting >= NarScan.stepByteCount { compress() }
        }
    }

    /// To be asked after the last bytes.
    ///
    /// - Throws: where the NAR has not ended. (Bytes behind its end are refused by `take`.)
    func finish() throws(NarError) { try reader.finish() }

    /// The listing of the whole NAR; to be asked once, after `finish`.
    mutating func listing() -> ListingRecord {
        compress()
        guard let writer, let frame = frame?.finish() else {
            return .none(
                reason: "its listing would have more than \(textByteCountMax >> 20) MiB, or \(frameByteCountMax >> 20) MiB compressed")
        }
        return .text(frame: frame, byteCount: Int64(writer.byteCount))
    }

    /// Moves the text that waits into the frame.
    private mutating func compress() {
        guard let text = writer?.take(), let byteCount = writer?.byteCount else { return }
        let frame = self.frame ?? ListingFrame()
        self.frame = frame
        frame.add(text)
        if byteCount > textByteCountMax || frame.byteCount > frameByteCountMax { (writer, self.frame) = (nil, nil) }
    }
}

/// A listing while it is compressed, into one frame of zstd. Thread: whichever has it, one at a time.
private final class ListingFrame {
    private let encoder = StreamEncoder(.zstd)
    private let room = ByteBlock(byteCount: 16 << 10)
    private var frame: [UInt8] = []

    var byteCount: Int { frame.count }

    func add(_ text: [UInt8]) {
        unsafe text.span.withUnsafeBytes { text in
            unsafe encoder.encode(text, through: room.memory(0..<room.byteCount)) { unsafe frame.append(contentsOf: $0) }
        }
    }

    /// The whole frame.
    func finish() -> [UInt8] {
        unsafe encoder.finish(through: room.memory(0..<room.byteCount)) { unsafe frame.append(contentsOf: $0) }
        return frame
    }
}
