import HTTP
import Platform

/// What a handler answers.
///
/// The server adds `Date`, `Content-Length` or `Transfer-Encoding`, `X-Request-Id` and, where it closes, `Connection`; they must not be among
/// `headers`. For HEAD a handler answers as for GET: the length is kept and the body left out.
package struct Response: Sendable {
    /// A final status: 200 and up.
    package var status: Status
    /// Header lines in the order they are sent.
    package var headers: [(String, String)]
    package var body: ResponseBody
    /// What the answer rests on to its end; nil where nobody can take it back.
    package var permit: (any Permit)?
    /// The head as it was rendered before; see `prepared()`.
    var preparedHead: PreparedHead?

    package init(_ status: Status, headers: [(String, String)] = [], body: ResponseBody = .empty) {
        precondition(!status.isInterim, "an answer has a final status")
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// An answer with a text: its bytes, and the headers with its type first.
    package init(_ status: Status, contentType: String, _ bytes: [UInt8], headers: [(String, String)] = []) {
        self.init(status, headers: [("Content-Type", contentType)] + headers, body: .bytes(bytes))
    }
}

/// The bytes of an answer.
package enum ResponseBody: Sendable {
    case empty
    case bytes([UInt8])
    /// Parts of files, one after another, sent by the kernel without passing through memory. `byteCount` is their sum.
    case files([FileExtent], byteCount: Int64)
    /// Bytes that are made while they are sent: `produce` writes them, on a thread of its own, as fast as the client takes
    /// them. It is not called where the answer has no body (HEAD). Where it throws, the connection is broken off, so
    /// that a failure never looks like the end; what can be found out before belongs before the answer.
    /// `byteCount` is how many it will write, exactly; nil where that is not known.
    case stream(byteCount: Int64?, produce: @Sendable (BodyWriter) throws -> Void)

    /// Nil where it is not known before the body was made.
    package var byteCount: Int64? {
        switch self {
        case .empty: 0
        case .bytes(let bytes): Int64(bytes.count)
        case .files(_, let byteCount): byteCount
        case .stream(let byteCount, _): byteCount
        }
    }
}

/// A part of an open file. The file must hold it: where it turns out shorter while it is sent, the connection is broken
/// off, because its length was promised already.
package struct FileExtent: Sendable {
    package let file: OpenFile
    package let offset: Int64
    /// Bytes, from `offset` on.
    package let byteCount: Int64

    package init(file: OpenFile, offset: Int64, byteCount: Int64) {
        precondition(offset >= 0 && byteCount >= 0, "an extent lies in its file")
        self.file = file
        self.offset = offset
        self.byteCount = byteCount
    }
}
