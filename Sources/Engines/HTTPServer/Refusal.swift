import HTTP

/// An answer that the server gives by itself, without asking a handler.
struct Refusal: Equatable {
    let status: Status
    /// Says what is wrong, to people.
    let message: String
    var retryAfterSeconds: Int?

    init(_ status: Status, _ message: String, retryAfterSeconds: Int? = nil) {
        self.status = status
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
    }

    init(_ error: ParseError) { self.init(error.status, error.description) }

    /// The answer, with a body in the shape that clients of the API know.
    var response: Response {
        var headers: [(String, String)] = []
        if let retryAfterSeconds { headers.append(("Retry-After", String(retryAfterSeconds))) }
        return Response(status, contentType: "application/json", Array(json.utf8), headers: headers)
    }

    private var json: String {
        var escaped = ""
        for scalar in "General request error: \(message).".unicodeScalars {
            switch scalar {
            case "\"", "\\": escaped += "\\\(scalar)"
            case _ where scalar.value < 0x20: escaped += " "
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return "{\"code\":\(status.code),\"error\":\"RequestError\",\"message\":\"\(escaped)\"}"
    }
}
