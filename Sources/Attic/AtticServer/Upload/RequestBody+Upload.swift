import HTTPServer

extension RequestBody {
    /// Reads exactly the next bytes of the body.
    ///
    /// - Throws: `Problem.request` where the body ends before.
    func read(exactly byteCount: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        var filled = 0
        while filled < byteCount {
            let start = filled
            var span = bytes.mutableSpan
            let count = try unsafe span.withUnsafeMutableBytes { buffer throws(RequestBodyError) in
                try unsafe read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
            }
            guard count > 0 else {
                throw Problem.request("the body ended after \(filled) of the \(byteCount) bytes of NAR information.")
            }
            filled += count
        }
        return bytes
    }

    /// Hands on the rest of the body, buffer by buffer.
    ///
    /// - Parameter byteCountMax: what the body may have at most.
    /// - Throws: `Problem.request` where there is more; what `take` throws.
    func forEachBuffer(upTo byteCountMax: Int64, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        var sum: Int64 = 0
        var count = 1
        while count > 0 {
            count = try unsafe withNextBytes { bytes in
                sum += Int64(bytes.count)
                guard sum <= byteCountMax else {
                    throw Problem.request("the body goes on after the \(byteCountMax) bytes that nar_size announces.")
                }
                try unsafe take(bytes)
            }
        }
    }
}
