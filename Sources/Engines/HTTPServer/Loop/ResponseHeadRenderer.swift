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
    ///   - keepsAlive: whether the connection goes on after it.
    ///   - version: of the request; a client of HTTP/1.0 has to be told that the connection is kept (RFC 9112, 9.3).
    mutating func render(
        _ response: Response, isJoined: Bool, requestID: RequestID, keepsAlive: Bool, version: HTTPVersion, time: WallTime
    ) -> [UInt8] {
        if time.seconds != dateSecond { renderDate(time.seconds) }
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: (response.preparedHead ?? PreparedHead(response)).lines)
        bytes.append(contentsOf: dateAndIDName)
        requestID.append(to: &bytes)
        if !keepsAlive {
            bytes.append(contentsOf: ResponseHeadRenderer.closeEnd)
        } else if version == .http10 {
            bytes.append(contentsOf: ResponseHeadRenderer.keepAliveEnd)
        } else {
            bytes.append(contentsOf: ResponseHeadRenderer.end)
        }
        if isJoined, case .bytes(let body) = response.body { bytes.append(contentsOf: body) }
        return bytes
    }

    private static let end = Array("\r\n\r\n".utf8)
    private static let closeEnd = Array("\r\nConnection: close\r\n\r\n".utf8)
    private static let keepAliveEnd = Array("\r\nConnection: keep-alive\r\n\r\n".utf8)

    private mutating func renderDate(_ second: Int64) {
        dateSecond = second
        dateAndIDName = Array("Date: \(HTTPDate.render(secondsSince1970: second))\r\nX-Request-Id: ".utf8)
    }
}
