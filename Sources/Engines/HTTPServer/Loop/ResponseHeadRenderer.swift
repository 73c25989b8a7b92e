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
        _ response: Response, requestID: RequestID, keepsAlive: Bool, version: HTTPVersion, time: WallTime
    ) -> [UInt8] {
        let lines = (response.preparedHead ?? PreparedHead(response)).lines
        var bytes: [UInt8] = []
        // Room for a small body too, which the sender puts behind its head.
        bytes.reserveCapacity(lines.count + ResponseHeadRenderer.addedBytes + ResponseSender.joinedByteCount(response.body))
        bytes.append(contentsOf: lines)
        bytes.append(contentsOf: date(time))
        bytes.append(contentsOf: ResponseHeadRenderer.requestIDName)
        requestID.append(to: &bytes)
        if !keepsAlive {
            bytes.append(contentsOf: ResponseHeadRenderer.closeEnd)
        } else if version == .http10 {
            bytes.append(contentsOf: ResponseHeadRenderer.keepAliveEnd)
        } else {
            bytes.append(contentsOf: ResponseHeadRenderer.end)
        }
        return bytes
    }

    private static let requestIDName = Array("X-Request-Id: ".utf8)
    private static let end = Array("\r\n\r\n".utf8)
    private static let closeEnd = Array("\r\nConnection: close\r\n\r\n".utf8)
    private static let keepAliveEnd = Array("\r\nConnection: keep-alive\r\n\r\n".utf8)
    /// What `render` adds at most, in bytes: date, request id, connection.
    private static let addedBytes = 128

    private mutating func date(_ time: WallTime) -> [UInt8] {
        if time.seconds != dateSecond {
            dateSecond = time.seconds
            dateLine = Array("Date: \(HTTPDate.render(secondsSince1970: time.seconds))\r\n".utf8)
        }
        return dateLine
    }
}
