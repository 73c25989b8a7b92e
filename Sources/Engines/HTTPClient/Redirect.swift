import HTTP

/// Where an answer sends a request (RFC 9110, section 15.4).
struct Redirect {
    let url: HTTPURL
    /// Another server: it must not see the credentials of the first.
    let isElsewhere: Bool

    /// Header lines that are for one server alone.
    static let credentials: Set<String> = ["authorization", "cookie"]

    /// The longest place that is followed, in bytes: presigned URLs have some two thousand.
    private static let locationBytesMax = 8 << 10

    /// Nil where the answer sends nobody anywhere.
    ///
    /// - Parameter url: where the request went.
    /// - Throws: `ClientError.redirectRefused` where it must not follow: from https to http, since everything on the way could read
    ///   it; where another method would come of it; where its body cannot be sent again.
    init?(_ head: ResponseHead, to request: ClientRequest, at url: HTTPURL) throws(ClientError) {
        let keepsMethod: Bool
        switch head.status.code {
        case 301, 302, 303: keepsMethod = false
        case 307, 308: keepsMethod = true
        default: return nil
        }
        guard let location = head.headerValues("Location").first, !location.isEmpty else { return nil }
        func refusal(_ reason: String) -> ClientError { .redirectRefused(host: url.authority, reason: reason) }
        guard location.utf8.count <= Self.locationBytesMax else {
            throw refusal("the URL that it names has more than \(Self.locationBytesMax) bytes")
        }
        let next: HTTPURL
        do throws(ClientError) { next = try url.resolving(location) } catch { throw refusal("\(error)") }
        if url.scheme == .https, next.scheme == .http {
            throw refusal("\(next.serverText) is in the clear, where anyone on the way could read it")
        }
        if !keepsMethod, request.method != .get, request.method != .head {
            // Of all other methods a GET would come, which asks for something else.
            throw refusal("the server is at \(next.serverText) now; use that endpoint")
        }
        if !request.body.isRepeatable { throw refusal("its body cannot be sent again") }
        self.url = next
        isElsewhere = !next.maySeeCredentials(for: url)
    }
}
