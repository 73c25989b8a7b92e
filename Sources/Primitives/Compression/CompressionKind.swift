import CZstd

/// How stored chunks, and so the NARs made of them, are compressed. The raw value is narinfo's word for it.
package enum CompressionKind: String, Sendable, CaseIterable {
    case none
    case zstd

    /// What a NAR's file name ends in after `.nar`.
    package var fileSuffix: String {
        switch self {
        case .none: ""
        case .zstd: ".zst"
        }
    }

    /// The levels it takes; higher is smaller and slower. For zstd negative ones too, the fastest.
    package var levels: ClosedRange<Int32> {
        switch self {
        case .none: 0...0
        case .zstd: ZSTD_minCLevel()...ZSTD_maxCLevel()
        }
    }
}
