import CZstd

/// How stored chunks are compressed. The raw value is the word for it in the configuration and in the database.
package enum CompressionKind: String, Sendable, CaseIterable {
    case none
    case zstd
    case xz
    case brotli

    /// Whether frames end to end are a stream to every decoder, so that a NAR goes out as it is stored. A stream of brotli ends with its
    /// last meta-block (RFC 7932, section 9.2), and decoders stop there.
    package var framesJoin: Bool { self != .brotli }

    /// What a NAR of such chunks is sent in: what it is stored in, or nothing where its frames do not join.
    package var sentCoding: StreamCoding {
        switch self {
        case .none, .brotli: .none
        case .zstd: .zstd
        case .xz: .xz
        }
    }

    /// The levels it takes; higher is smaller and slower. For zstd negative ones too, the fastest.
    package var levels: ClosedRange<Int32> {
        switch self {
        case .none: 0...0
        case .zstd: ZSTD_minCLevel()...ZSTD_maxCLevel()
        case .xz: 0...9
        case .brotli: 0...11
        }
    }

    /// The level where nobody has chosen one. Of zstd 1, measured on store paths, chunk by chunk: 3, zstd's own default, makes chunks 4 %
    /// smaller and takes half as long again; 8 makes them 10 % smaller and takes five times as long. docs/performance.md has the curve. Of
    /// xz 2: on chunks of 64 KiB the levels above are hardly smaller, since none of them can look beyond its chunk.
    package var levelDefault: Int32 {
        switch self {
        case .none: 0
        case .zstd: 1
        case .xz: 2
        case .brotli: 5
        }
    }
}
