import Crypto
import Database
import Encoding
import HTTP
import HTTPServer

/// A text that a cache answers, whole in memory: a narinfo, a cache info, the narinfos of a closure.
///
/// Its entity tag is made of its bytes, so the same text has the same one, whoever renders it and whenever.
struct TextAnswer: Sendable {
    private let bytes: [UInt8]
    private let contentType: String
    private let tag: EntityTag
    /// Beside those of the text itself.
    private let headers: [(String, String)]

    init(_ bytes: [UInt8], contentType: String, of cache: CacheRecord, _ lifetime: Headers.Lifetime = .hour) {
        self.bytes = bytes
        self.contentType = contentType
        // 160 bits tell texts apart, and are no longer than a store path's hash.
        tag = EntityTag(NixBase32.encode(Array(SHA256.digest(of: bytes).bytes.prefix(20))))
        headers = Headers.caching(of: cache, lifetime) + Headers.visibility(of: cache)
    }

    /// All of it, as it is: what is kept for the loops.
    var whole: Response {
        Response(.ok, contentType: contentType, bytes, headers: [("ETag", tag.description)] + headers)
    }

    /// What a request asks for: the text as it is, or 304 where the client has that already (RFC 9110, section 13.1.2). A range of
    /// a text is not given; that is anybody's choice (section 14.2).
    func response(to head: RequestHead) -> Response {
        var whole = whole
        guard let known = head.header("If-None-Match").flatMap(ETagList.init), known.matchesWeakly(tag) else { return whole }
        (whole.status, whole.body) = (.notModified, .empty)
        return whole
    }

    /// The same, in a content coding where the client takes one and it is worth it. For what no loop keeps: a loop answers
    /// everyone alike.
    func codedResponse(to head: RequestHead) -> Response {
        CodedText(bytes, tag: tag, for: head).response(to: head, contentType: contentType, headers: headers)
    }
}
