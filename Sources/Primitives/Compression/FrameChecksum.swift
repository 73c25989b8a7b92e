import CLZMA

/// The checksum of a chunk's stored frame: CRC-64 as the .xz file format has it (version 1.2.1, section 6: the polynomial
/// of ECMA-182). It tells whether a frame is still what was written, in a tenth of the time that opening it takes.
///
/// It is no proof against an adversary, only against damage: what a frame stands for is known by the chunk's SHA-256.
package enum FrameChecksum {
    /// The checksum of exactly one frame's bytes.
    package static func of(_ frame: UnsafeRawBufferPointer) -> UInt64 {
        unsafe lzma_crc64(frame.baseAddress?.assumingMemoryBound(to: UInt8.self), frame.count, 0)
    }

    /// The same of an array.
    package static func of(_ frame: [UInt8]) -> UInt64 { unsafe frame.span.withUnsafeBytes { unsafe of($0) } }
}
