import Compression
import Crypto
import Database
import HTTP
import HTTPServer
import Platform
import Storage

/// A stored NAR in another coding than it is stored in, none being one: opened, checked against its hash, and encoded again while it is sent.
///
/// Memory does not depend on the NAR: a piece of each kind, and what the two codings need.
struct RecodedNar: Sendable {
    let nar: NarRecord
    /// Where it is stored, all of it.
    let assembly: NarAssembly
    /// The coding that is asked for.
    let coding: StreamCoding
    /// Told what was found wrong with the stored bytes, or with reading them.
    let onDamage: @Sendable (any Error) -> Void

    /// Bytes read or opened at once; few enough to stay in the processor's cache.
    private static let pieceByteCount = 128 << 10

    /// All of it, whatever range is asked for (RFC 9110, section 14.2, allows that): another try may make other bytes, so nothing
    /// of one goes on with another. 304 where the client has the NAR in this coding.
    func response(to head: RequestHead, in cache: CacheRecord, _ lifetime: Headers.Lifetime) -> Response {
        let tag = EntityTag("\(nar.narHash.base32)-\(coding.rawValue)", isWeak: true)
        let headers =
            [("Content-Type", "application/x-nix-nar"), ("ETag", tag.description)]
            + Headers.caching(of: cache, lifetime) + Headers.visibility(of: cache)
        if let known = head.header("If-None-Match").flatMap(ETagList.init), known.matchesWeakly(tag) {
            return Response(.notModified, headers: headers, body: .empty)
        }
        var response = Response(.ok, headers: headers, body: body)
        response.permit = assembly.standing
        return response
    }

    /// All of it; its length is known only where it is not compressed.
    var body: ResponseBody { body(0..<nar.narSize) }

    /// A part of the NAR, which must be all of it where it is compressed. What is before the part is opened as well, and what is behind it
    /// is not.
    func body(_ range: Range<Int64>) -> ResponseBody {
        .stream(byteCount: coding == .none ? Int64(range.count) : nil) { writer in
            do { try write(range, to: writer) } catch {
                // Those of the client say nothing of the stored bytes.
                if error as? Problem == .incompleteNar || error is StorageError { onDamage(error) }
                throw error
            }
        }
    }

    /// Ends the reading of a NAR behind the part that is sent.
    private struct Enough: Error {}

    /// Writes a part of it.
    ///
    /// - Throws: `Problem.incompleteNar` where the stored bytes are not the NAR, before its end was written;
    ///   `StorageError` where they cannot be read; `ResponseBodyError`.
    private func write(_ range: Range<Int64>, to writer: BodyWriter) throws {
        guard let kind = nar.kind else { throw Problem.incompleteNar }
        let decoder = StreamDecoder(frames: kind, outputByteCountMax: Int(nar.narSize))
        let encoder = StreamEncoder(coding)
        var hash = SHA256()
        let reachesEnd = range.upperBound == nar.narSize
        // The NAR's last byte waits for the check: with it, a body that is not compressed would be as long as was promised, and look whole.
        let unchecked = reachesEnd ? range.lowerBound..<max(range.lowerBound, range.upperBound - 1) : range
        var last: [UInt8] = []
        var position: Int64 = 0
        let (piece, room) = (ByteBlock(byteCount: Self.pieceByteCount), ByteBlock(byteCount: Self.pieceByteCount))
        do {
            try unsafe assembly.read(through: piece) { stored in
                // What lies before a part is opened and not written.
                guard writer.isWanted else { throw ResponseBodyError.unwanted }
                try unsafe decoder.forEachPiece(of: stored, through: room.memory(0..<room.byteCount), failed: Self.trouble) { plain in
                    unsafe hash.update(plain)
                    let here = position..<(position + Int64(plain.count))
                    position = here.upperBound
                    try unsafe writer.write(RecodedNar.part(of: plain, here, in: unchecked), through: encoder)
                    unsafe last.append(contentsOf: RecodedNar.part(of: plain, here, in: unchecked.upperBound..<range.upperBound))
                    if !reachesEnd && position >= range.upperBound { throw Enough() }
                }
            }
        } catch is Enough { return }
        do throws(CompressionError) { try decoder.finish() } catch { throw Problem.incompleteNar }
        // Before the end is written: without it nobody takes the body for whole.
        guard hash.finish() == nar.narHash else { throw Problem.incompleteNar }
        try unsafe last.withUnsafeBytes { try unsafe writer.write($0, through: encoder) }
        try writer.finish(encoder)
    }

    /// What of some bytes lies in a range of the NAR.
    ///
    /// - Parameter here: where the bytes lie.
    private static func part(of bytes: UnsafeRawBufferPointer, _ here: Range<Int64>, in range: Range<Int64>) -> UnsafeRawBufferPointer {
        let part = range.clamped(to: here)
        return unsafe UnsafeRawBufferPointer(rebasing: bytes[Int(part.lowerBound - here.lowerBound)..<Int(part.upperBound - here.lowerBound)])
    }

    /// What it means that stored bytes cannot be opened.
    private static func trouble(_ error: CompressionError) -> any Error {
        // Nothing is known of the bytes where only the memory to open them is lacking.
        if case .needsTooMuchMemory = error { error } else { Problem.incompleteNar }
    }
}
