/// The listing of a NAR, as the database keeps it.
package enum ListingRecord: Sendable, Hashable {
    /// Its text in one frame of zstd, and how many bytes the text has.
    case text(frame: [UInt8], byteCount: Int64)
    /// There is none, and why, as the end of a sentence: whoever asks need not find out again.
    case none(reason: String)
}
