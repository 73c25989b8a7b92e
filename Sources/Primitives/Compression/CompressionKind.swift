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

/// Why bytes could not be decompressed.
package enum CompressionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// They stand for more than was allowed.
    case tooLarge(byteCountMax: Int)
    /// They end in the middle of a frame.
    case truncated
    /// Something follows the one frame that was expected.
    case bytesAfterFrame(byteCount: Int)
    /// They are no such frame, or a damaged one; the library's reason.
    case corrupt(reason: String)

    package var description: String {
        switch self {
        case .tooLarge(let byteCountMax): "cannot decompress: it stands for more than \(byteCountMax) bytes"
        case .truncated: "cannot decompress: it ends in the middle of a frame"
        case .bytesAfterFrame(let byteCount): "cannot decompress: \(byteCount) bytes follow the frame"
        case .corrupt(let reason): "cannot decompress: \(reason)"
        }
    }
}

/// The error behind a result of zstd, or nil where the result is a size.
func zstdError(_ result: Int) -> CompressionError? {
    guard ZSTD_isError(result) != 0 else { return nil }
    guard ZSTD_getErrorCode(result) != ZSTD_error_srcSize_wrong else { return .truncated }
    return .corrupt(reason: unsafe String(cString: ZSTD_getErrorName(result)))
}
