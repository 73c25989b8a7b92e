import Compression
import HTTPServer

/// Bodies that are encoded while they are sent. What the encoder makes is written where it is sent from, so this is not
/// `StreamEncoder.encode`, whose pieces lie in the caller's room.
extension BodyWriter {
    /// Takes all of `bytes`, and writes what comes of it by now.
    ///
    /// - Throws: `ResponseBodyError`.
    func write(_ bytes: UnsafeRawBufferPointer, through encoder: StreamEncoder) throws {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            _ = try unsafe fill { room in
                let progress = unsafe encoder.update(rest, into: room)
                unsafe rest = UnsafeRawBufferPointer(rebasing: rest[progress.inputByteCount...])
                return progress.outputByteCount
            }
        }
    }

    /// Ends the encoder's stream, and writes what is left of it.
    ///
    /// - Throws: `ResponseBodyError`.
    func finish(_ encoder: StreamEncoder) throws {
        var isLast = false
        while !isLast {
            _ = try unsafe fill { room in
                let end = unsafe encoder.finish(into: room)
                isLast = end.isLast
                return end.outputByteCount
            }
        }
    }
}
