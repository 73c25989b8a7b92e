import Compression
import HTTPServer

/// Bodies of plain Nix come with a `Content-Encoding` where its user configured one for narinfos, listings or logs.
extension Call {
    /// How the request's body is encoded.
    ///
    /// - Throws: `.unsupportedForm` for a coding that is not read here, or for several.
    func bodyCoding() throws(Problem) -> StreamCoding {
        guard let word = request.head.header("Content-Encoding") else { return .none }
        guard let coding = StreamCoding(contentCoding: word) else {
            throw .unsupportedForm(
                "the Content-Encoding \"\(Route.printable(word))\" is not read here; use zstd, gzip, br, xz or none.")
        }
        return coding
    }

    /// The whole body, decoded.
    ///
    /// - Throws: as `forEachDecodedBuffer`.
    func decodedBody(byteCountMax: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try unsafe forEachDecodedBuffer(upTo: byteCountMax) { unsafe bytes.append(contentsOf: $0) }
        return bytes
    }

    /// Hands on the body, decoded, buffer by buffer.
    ///
    /// - Parameter byteCountMax: what it may have at most, as it comes and decoded.
    /// - Throws: `.tooLarge`, before a byte is read where the client said so; `.unsupportedForm` before a byte is read; `.request`
    ///   where the encoding is damaged or ends early, or needs more memory than each upload may have; what `take` throws.
    func forEachDecodedBuffer(upTo byteCountMax: Int, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        let coding = try bodyCoding()
        let tooLarge = RequestBodyError.tooLarge(byteCountMax: Int64(byteCountMax))
        if let declared = request.body.declaredByteCount, declared > Int64(byteCountMax) { throw tooLarge }
        // As many as there are transfer threads may be open at once, and a body of a few bytes is enough to ask for all of it.
        let decoder = coding == .none ? nil : StreamDecoder(
            coding, outputByteCountMax: byteCountMax, memoryByteCountMax: Bounds.smallWindowBytesMax)
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: decoder == nil ? 0 : 64 << 10, alignment: 16)
        defer { unsafe room.deallocate() }
        var received = 0
        var count = 1
        while count > 0 {
            count = try unsafe request.body.withNextBytes { bytes in
                received += bytes.count
                guard received <= byteCountMax else { throw tooLarge }
                guard let decoder else { return try unsafe take(bytes) }
                try unsafe decoder.forEachPiece(of: bytes, through: room, failed: Call.problem, take)
            }
        }
        // An empty body is what it stands for, whatever it says of its coding.
        guard let decoder, received > 0 else { return }
        do throws(CompressionError) { try decoder.finish() } catch { throw Call.problem(error) }
    }

    private static func problem(_ error: CompressionError) -> Problem {
        switch error {
        case .tooLarge(let byteCountMax):
            .tooLarge("the request's body stands for more than \(byteCountMax) bytes, the most that this URL takes.")
        case .needsTooMuchMemory(let byteCountMax):
            .request(
                """
                to open the body takes more than \(byteCountMax) bytes of memory: compress it with a smaller window (zstd to level 19 without \
                --long, xz to level 7, brotli with 4 MiB), or send it as it is.
                """)
        case .truncated, .bytesAfterFrame, .bytesAfterEnd, .otherFormat, .corrupt:
            .request("the body is not what its Content-Encoding says: \(error).")
        }
    }
}
