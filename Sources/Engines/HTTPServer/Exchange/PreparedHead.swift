import HTTP

/// The head of an answer that is given many times: everything but what differs from one request to the next.
///
/// Rendered once; the server then adds date, request id and connection, and nothing else has to be written. Shared and
/// immutable.
package final class PreparedHead: Sendable {
    /// Status line, headers and, where it is known, Content-Length, each with its line end.
    let lines: [UInt8]

    init(_ response: Response) {
        var writer = HeadWriter(response.status)
        for (name, value) in response.headers { writer.add(name, value) }
        // RFC 9110, section 8.6: never in 204, and in 304 only as the length that 200 would have had.
        if !response.status.neverHasBody, let byteCount = response.body.byteCount {
            writer.add("Content-Length", byteCount)
        }
        lines = writer.takeLines()
    }
}

extension Response {
    /// The same answer with its head rendered now, for answers that are kept and given again.
    package func prepared() -> Response {
        var response = self
        response.preparedHead = PreparedHead(self)
        return response
    }
}
