import CZstd

/// Why bytes could not be decompressed.
package enum CompressionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// They stand for more than was allowed.
    case tooLarge(byteCountMax: Int)
    /// What made them wants more memory of whoever opens them than was allowed, or than there is.
    case needsTooMuchMemory(byteCountMax: Int)
    /// They end in the middle of a frame, or before the first.
    case truncated
    /// Something follows the one frame that was expected.
    case bytesAfterFrame(byteCount: Int)
    /// Something follows the last frame of a stream that begins none.
    case bytesAfterEnd
    /// They do not begin as what this names does.
    case otherFormat(String)
    /// They are damaged; the library's reason.
    case corrupt(reason: String)

    package var description: String {
        switch self {
        case .tooLarge(let byteCountMax): "cannot decompress: it stands for more than \(byteCountMax) bytes"
        case .needsTooMuchMemory(let byteCountMax): "cannot decompress: it needs more than \(byteCountMax) bytes of memory for that"
        case .truncated: "cannot decompress: it ends in the middle of a frame"
        case .bytesAfterFrame(let byteCount): "cannot decompress: \(byteCount) bytes follow the frame"
        case .bytesAfterEnd: "cannot decompress: something else follows its end"
        case .otherFormat(let name): "cannot decompress: it does not begin as \(name) does"
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
