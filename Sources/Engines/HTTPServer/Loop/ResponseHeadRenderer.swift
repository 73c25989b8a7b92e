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
        let end = Self.end(isChunked: isChunked, keepsAlive: keepsAlive, version: version)
        var head: [UInt8] = []
        swap(&head, &bytes)
        head.removeAll(keepingCapacity: true)
        // All of them are lent: another owner of each would be counted.
        unsafe dateAndIDName.withUnsafeBufferPointer { dateAndIDName in
            unsafe Self.withLines(of: response) { lines in
                unsafe Self.withBytes(isJoined ? response.body : .empty) { body in
                    let byteCount = lines.count + dateAndIDName.count + RequestID.digitCount + end.utf8CodeUnitCount + body.count
                    head.append(addingCapacity: byteCount) { room in
                        unsafe room.append(lines)
                        unsafe room.append(dateAndIDName)
                        requestID.append(to: &room)
                        room.append(end)
                        unsafe room.append(body)
                    }
                }
            }
        }
        bytes = head
        return head
    }

    private static func withLines(of response: Response, _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        if let prepared = response.preparedHead { return unsafe prepared.lines.withUnsafeBufferPointer(body) }
        unsafe PreparedHead(response).lines.withUnsafeBufferPointer(body)
    }

    private static func withBytes(_ body: ResponseBody, _ use: (UnsafeBufferPointer<UInt8>) -> Void) {
        if case .bytes(let bytes) = body { return unsafe bytes.withUnsafeBufferPointer(use) }
        unsafe use(UnsafeBufferPointer(start: nil, count: 0))
    }

    /// The last lines of a head, from the end of the request's name on.
    private static func end(isChunked: Bool, keepsAlive: Bool, version: HTTPVersion) -> StaticString {
        switch (isChunked, keepsAlive, version) {
        case (false, true, .http11): "\r\n\r\n"
        case (false, true, .http10): "\r\nConnection: keep-alive\r\n\r\n"
        case (false, false, _): "\r\nConnection: close\r\n\r\n"
        case (true, true, .http11): "\r\nTransfer-Encoding: chunked\r\n\r\n"
        case (true, true, .http10): "\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
        case (true, false, _): "\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        }
    }

    private mutating func renderDate(_ second: Int64) {
        dateSecond = second
        dateAndIDName = Array("Date: \(HTTPDate.render(secondsSince1970: second))\r\nX-Request-Id: ".utf8)
    }
}
