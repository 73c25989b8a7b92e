import HTTP
import Platform

/// Renders the heads of answers; keeps what stays the same for a second.
///
/// Thread: loop.
struct ResponseHeadRenderer {
    private var dateSecond: Int64 = .min
    /// `Date: …` and the name of the line behind it.
    private var dateAndIDName: [UInt8] = []

    /// Used again where the last answer has been sent whole.
    private var bytes: [UInt8] = []

    /// The head of an answer, with the lines that the server adds.
    ///
    /// - Parameters:
    ///   - isJoined: whether the body follows in the same piece; then it is bytes.
    ///   - isChunked: whether the body that follows is in the chunked coding.
    ///   - keepsAlive: whether the connection goes on after it.
    ///   - version: of the request; a client of HTTP/1.0 has to be told that the connection is kept (RFC 9112, 9.3).
    mutating func render(
        _ response: Response, isJoined: Bool, isChunked: Bool, requestID: RequestID, keepsAlive: Bool,
        version: HTTPVersion, time: WallTime
    ) -> [UInt8] {
        if time.seconds != dateSecond { renderDate(time.seconds) }
        bytes.removeAll(keepingCapacity: true)
        if let prepared = response.preparedHead { append(prepared.lines) } else { append(PreparedHead(response).lines) }
        // In place: a copy of the array would be counted.
        unsafe dateAndIDName.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        requestID.append(to: &bytes)
        if isChunked { append("\r\nTransfer-Encoding: chunked") }
        if !keepsAlive {
            append("\r\nConnection: close\r\n\r\n")
        } else if version == .http10 {
            append("\r\nConnection: keep-alive\r\n\r\n")
        } else {
            append("\r\n\r\n")
        }
        if isJoined, case .bytes(let body) = response.body { append(body) }
        return bytes
    }

    /// Appends a piece without counting another owner of it, which is what `append(contentsOf:)` does with an array.
    private mutating func append(_ piece: borrowing [UInt8]) {
        unsafe piece.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }

    private mutating func append(_ text: StaticString) {
        unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func renderDate(_ second: Int64) {
        dateSecond = second
        dateAndIDName = Array("Date: \(HTTPDate.render(secondsSince1970: second))\r\nX-Request-Id: ".utf8)
    }
}
