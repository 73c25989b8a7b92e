import CZstd

/// How stored chunks, and so the NARs made of them, are compressed. The raw value is narinfo's word for it.
package enum CompressionKind: String, Sendable, CaseIterable {
    case none
    case zstd
    case xz

    /// What a NAR's file name ends in after `.nar`.
    package var fileSuffix: String {
        switch self {
        case .none: ""
        case .zstd: ".zst"
        case .xz: ".xz"
        }
    }

    /// The levels it takes; higher is smaller and slower. For zstd negative ones too, the fastest.
    package var levels: ClosedRange<Int32> {
        switch self {
        case .none: 0...0
        case .zstd: ZSTD_minCLevel()...ZSTD_maxCLevel()
        case .xz: 0...9
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
        }
    }
}
