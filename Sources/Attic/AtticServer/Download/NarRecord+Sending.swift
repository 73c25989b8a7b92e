import Compression
import Crypto
import Database

/// What clients are told of a NAR's file, and get. Where its frames can be joined that is the stored file; where they cannot it is the NAR
/// itself, opened on the way.
extension NarRecord {
    /// What its chunks are stored in; nil for a compression that this version does not know.
    var kind: CompressionKind? { CompressionKind(rawValue: compression) }

    /// Whether its stored file is sent as it is.
    var isSentAsStored: Bool { kind?.framesJoin != false }

    /// The coding of what is sent, as narinfo says it.
    var sentCompression: String { kind?.sentCoding.rawValue ?? compression }

    /// What the name of its file ends in after `.nar`.
    var sentSuffix: String { kind?.sentCoding.fileSuffix ?? "" }

    /// The SHA-256 of what is sent.
    var sentHash: SHA256Digest { isSentAsStored ? fileHash : narHash }

    /// The bytes of what is sent.
    var sentByteCount: Int64 { isSentAsStored ? fileSize : narSize }
}
