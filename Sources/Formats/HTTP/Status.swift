/// A status code with its reason phrase (RFC 9110, section 15; RFC 6585 for 431).
package struct Status: Hashable, Sendable, CustomStringConvertible {
    /// Three digits: 100 to 999.
    package let code: Int

    package init(_ code: Int) {
        precondition((100...999).contains(code), "a status code has three digits")
        self.code = code
    }

    package static var `continue`: Status { Status(100) }
    package static var ok: Status { Status(200) }
    package static var created: Status { Status(201) }
    package static var noContent: Status { Status(204) }
    package static var partialContent: Status { Status(206) }
    package static var movedPermanently: Status { Status(301) }
    package static var found: Status { Status(302) }
    package static var notModified: Status { Status(304) }
    package static var temporaryRedirect: Status { Status(307) }
    package static var badRequest: Status { Status(400) }
    package static var unauthorized: Status { Status(401) }
    package static var forbidden: Status { Status(403) }
    package static var notFound: Status { Status(404) }
    package static var methodNotAllowed: Status { Status(405) }
    package static var requestTimeout: Status { Status(408) }
    package static var conflict: Status { Status(409) }
    package static var gone: Status { Status(410) }
    package static var lengthRequired: Status { Status(411) }
    package static var preconditionFailed: Status { Status(412) }
    package static var contentTooLarge: Status { Status(413) }
    package static var targetTooLong: Status { Status(414) }
    package static var unsupportedMediaType: Status { Status(415) }
    package static var rangeNotSatisfiable: Status { Status(416) }
    package static var expectationFailed: Status { Status(417) }
    package static var misdirectedRequest: Status { Status(421) }
    package static var tooManyRequests: Status { Status(429) }
    package static var headerFieldsTooLarge: Status { Status(431) }
    /// nginx's, registered nowhere: what its access log says where the client did not wait for an answer. Nobody is ever sent it.
    package static var clientClosedRequest: Status { Status(499) }
    package static var internalServerError: Status { Status(500) }
    package static var notImplemented: Status { Status(501) }
    package static var badGateway: Status { Status(502) }
    package static var serviceUnavailable: Status { Status(503) }
    package static var gatewayTimeout: Status { Status(504) }
    package static var versionNotSupported: Status { Status(505) }
    package static var insufficientStorage: Status { Status(507) }

    /// The registered phrase; empty for a code that has none here, which RFC 9112 allows.
    package var reason: String {
        switch code {
        case 100: "Continue"
        case 101: "Switching Protocols"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 507: "Insufficient Storage"
        default: ""
        }
    }

    /// 1xx: another answer follows.
    package var isInterim: Bool { code < 200 }
    package var isSuccess: Bool { (200..<300).contains(code) }

    /// No body follows such an answer, whatever its headers say (RFC 9112, section 6.3, rule 1).
    package var neverHasBody: Bool { isInterim || code == 204 || code == 304 }

    /// `404 Not Found`
    package var description: String { reason.isEmpty ? "\(code)" : "\(code) \(reason)" }
}
