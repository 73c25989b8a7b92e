/// What stands around the pieces of a chunked body (RFC 9112, section 7.1): a size line before each, a line end after
/// it, and an empty chunk at the end. The pieces themselves are written as they are.
package enum ChunkedEncoder {
    /// The line before a piece of `byteCount` bytes, at least one: an empty chunk would be the end.
    package static func prefix(byteCount: Int) -> [UInt8] {
        precondition(byteCount > 0, "an empty chunk ends the body")
        return Array(String(byteCount, radix: 16).utf8) + suffix
    }

    /// After each piece.
    package static var suffix: [UInt8] { [Byte.carriageReturn, Byte.lineFeed] }

    /// After the last piece: the empty chunk, no trailers.
    package static var end: [UInt8] { Array("0\r\n\r\n".utf8) }

    /// A piece with what stands around it.
    package static func encode(_ bytes: [UInt8]) -> [UInt8] {
        bytes.isEmpty ? [] : prefix(byteCount: bytes.count) + bytes + suffix
    }
}
