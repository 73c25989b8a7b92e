/// How a stream that is sent is compressed: a NAR that plain Nix pushes or pulls, or a body with a content coding.
///
/// What chunks are stored in is a `CompressionKind`, of which there are fewer.
/// The raw value is narinfo's word for it, and HTTP's but for `none` and `xz` (RFC 9110 section 8.4.1, RFC 7932
/// section 13, RFC 8878 section 7.2); Nix sends narinfo's words in `Content-Encoding` as well.
package enum StreamCoding: String, Sendable, CaseIterable {
    case none
    case zstd
    case xz
    case gzip
    case brotli = "br"

    /// What Nix lets a NAR's file name end in after `.nar` (Nix's `binary-cache-store.cc`). There is none for gzip, so
    /// what comes without one may be either: see `init(unnamed:)`.
    package var fileSuffix: String {
        switch self {
        case .none, .gzip: ""
        case .zstd: ".zst"
        case .xz: ".xz"
        case .brotli: ".br"
        }
    }

    /// The coding of a stream whose name does not tell it: gzip where it begins as gzip does (RFC 1952 section 2.3.1),
    /// otherwise none. A NAR begins with the eight bytes 13, 0, 0, 0, 0, 0, 0, 0.
    ///
    /// - Parameter firstBytes: the stream's first two bytes or more; fewer only where it has no more.
    package init(unnamed firstBytes: some Sequence<UInt8>) {
        self = firstBytes.prefix(2).elementsEqual([0x1f, 0x8b]) ? .gzip : .none
    }

    /// The coding that a `Content-Encoding` of one word names, in any case; nil for one that is not read here.
    package init?(contentCoding word: some StringProtocol) {
        switch word.lowercased() {
        case "identity", "none", "": self = .none
        // RFC 9110, section 8.4.1.3: a recipient SHOULD consider "x-gzip" to be equivalent to "gzip".
        case "gzip", "x-gzip": self = .gzip
        case "zstd": self = .zstd
        case "xz": self = .xz
        case "br": self = .brotli
        default: return nil
        }
    }

    /// The most memory that opening a stream takes, in bytes, where the caller says nothing else. The streams of each
    /// tool's ordinary levels need less.
    package var decoderByteCountMax: Int {
        switch self {
        case .none: 0
        // A window of 2^27 bytes, what the zstd tool takes without being asked; its levels up to 19 need 2^23. Taken
        // only as far as the stream really fills it.
        case .zstd: 1 << 27
        // xz -9 needs 65 MiB, the default level 9.
        case .xz: 80 << 20
        // The format's own bounds: a window of 32 KiB and tables; a window of 16 MiB, the same again to write it from,
        // and tables.
        case .gzip: 64 << 10
        case .brotli: 40 << 20
        }
    }

    /// The levels that an encoder takes; higher is smaller and slower.
    package var levels: ClosedRange<Int32> {
        switch self {
        case .none: 0...0
        case .zstd: CompressionKind.zstd.levels
        case .xz: 0...9
        case .gzip: 1...9
        case .brotli: 0...11
        }
    }

    /// The level for what is made while a client waits: fast before small, and little memory (zstd 1 to 2 MiB, xz
    /// about 10, gzip a quarter of one, brotli about 10).
    package var quickLevel: Int32 {
        switch self {
        case .none: 0
        case .zstd, .xz: 1
        case .gzip, .brotli: 4
        }
    }
}
