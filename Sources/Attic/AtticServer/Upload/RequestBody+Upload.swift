import HTTPServer

extension RequestBody {
    /// Reads exactly the next bytes of the body.
    ///
    /// - Throws: `Problem.request` where the body ends before.
    func read(exactly byteCount: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < byteCount {
            // What was announced need not come: memory follows the bytes that do.
            let start = bytes.count
            let room = min(byteCount - start, 64 << 10)
            bytes.append(contentsOf: repeatElement(0, count: room))
            var span = bytes.mutableSpan
            let count = try unsafe span.withUnsafeMutableBytes { buffer throws(RequestBodyError) in
                try unsafe read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[start...]))
            }
            bytes.removeLast(room - count)
            guard count > 0 else {
                throw Problem.request("the body ended after \(start) of the \(byteCount) bytes of NAR information.")
            }
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
