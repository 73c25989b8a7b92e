import HTTP

/// One request, as a handler sees it.
package struct Request: Sendable {
    /// Method, target and headers.
    package let head: RequestHead
    /// Names this exchange in logs; the answer carries it in `X-Request-Id`.
    package let id: String
    /// The host that connected, without port: `192.0.2.1`, `2001:db8::1`.
    package let remoteAddress: String
    /// What follows the head; empty where nothing does.
    package let body: RequestBody

    package init(head: RequestHead, id: String, remoteAddress: String, body: RequestBody) {
        self.head = head
        self.id = id
        self.remoteAddress = remoteAddress
        self.body = body
    }
}
