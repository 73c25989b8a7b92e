import HTTP
import Platform

/// Renders the heads of answers; keeps what stays the same for a second.
///
/// Thread: loop.
struct ResponseHeadRenderer {
    private var dateSecond: Int64 = .min
    private var dateLine: [UInt8] = []

    /// The head of an answer, with the lines that the server adds.
    ///
    /// - Parameters:
    ///   - keepsAlive: whether the connection goes on after it.
    ///   - version: of the request; a client of HTTP/1.0 has to be told that the connection is kept (RFC 9112, 9.3).
    mutating func render(
        _ response: Response, requestID: String, keepsAlive: Bool, version: HTTPVersion, time: WallTime
    ) -> [UInt8] {
        var writer = HeadWriter(response.status)
        writer.add(rendered: date(time))
        for (name, value) in response.headers { writer.add(name, value) }
        // RFC 9110, section 8.6: never in 204, and in 304 only as the length that 200 would have had.
        if !response.status.neverHasBody { writer.add("Content-Length", response.body.byteCount) }
        writer.add("X-Request-Id", requestID)
        if !keepsAlive {
            writer.add("Connection", "close")
        } else if version == .http10 {
            writer.add("Connection", "keep-alive")
        }
        return writer.finish()
    }

    private mutating func date(_ time: WallTime) -> [UInt8] {
        if time.seconds != dateSecond {
            dateSecond = time.seconds
            dateLine = Array("Date: \(HTTPDate.render(secondsSince1970: time.seconds))\r\n".utf8)
        }
        return dateLine
    }
}

/// Names for requests: 16 hexadecimal digits, unlike one another within a loop and, with all likelihood, anywhere.
///
/// Thread: loop.
struct RequestIDs {
    private var state: UInt64

    init() {
        var generator = SystemRandomNumberGenerator()
        state = generator.next()
    }

    mutating func next() -> String {
        // An odd step passes through all 2^64 values before one comes again (Weyl); mixed, neighbours look unlike.
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        mixed ^= mixed >> 31
        let digits = String(mixed, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
