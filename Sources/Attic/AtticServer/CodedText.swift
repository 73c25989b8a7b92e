import Compression
import HTTP
import HTTPServer

/// A text (a listing, a log, a narinfo) as it is sent to one client: as it is, or in a content coding that the client takes,
/// where that is worth the work.
///
/// Nothing of this is for a loop, which compresses nothing; and what is kept for the loops by path alone must not depend
/// on what a client accepts.
struct CodedText {
    let body: ResponseBody
    let coding: ContentCoding
    /// Names these very bytes: of each coding another one. Weak in a coding, since another version of the library
    /// makes other bytes of the same text.
    let tag: EntityTag
    /// Whether another client might be sent it in another coding.
    private let isNegotiable: Bool

    /// A text that is there as it is.
    ///
    /// - Parameters:
    ///   - plain: the text.
    ///   - tag: the name of this state of it.
    ///   - head: of the request, for what the client accepts.
    init(_ plain: [UInt8], tag: EntityTag, for head: RequestHead) {
        let isNegotiable = plain.count >= Bounds.codedTextBytesMin
        let wanted = isNegotiable ? ContentCoding.negotiate(head.header("Accept-Encoding")) : .identity
        let coded = wanted.streamCoding.map { StreamEncoder.encode(plain, $0) }
        // What does not become smaller is left as it is.
        if let coded, coded.count < plain.count {
            self.init(body: .bytes(coded), coding: wanted, tag: tag, isNegotiable: isNegotiable)
        } else {
            self.init(body: .bytes(plain), coding: .identity, tag: tag, isNegotiable: isNegotiable)
        }
    }

    /// A text that is kept compressed by zstd. A long one is opened while it is sent.
    ///
    /// - Parameters:
    ///   - stored: the text, in zstd.
    ///   - byteCount: of the text itself.
    /// - Throws: `CompressionError` where it is damaged, or longer than that; of a long one that shows when it is sent.
    init(zstd stored: [UInt8], byteCount: Int, tag: EntityTag, for head: RequestHead) throws(CompressionError) {
        let isNegotiable = byteCount >= Bounds.codedTextBytesMin
        let wanted = isNegotiable ? ContentCoding.negotiate(head.header("Accept-Encoding")) : .identity
        if wanted == .zstd {
            self.init(body: .bytes(stored), coding: wanted, tag: tag, isNegotiable: true)
        } else if byteCount > Bounds.wholeTextBytesMax {
            let body = ResponseBody.text(zstd: stored, byteCount: byteCount, in: wanted.streamCoding ?? .none)
            self.init(body: body, coding: wanted, tag: tag, isNegotiable: true)
        } else {
            self.init(try StreamDecoder.decode(stored, .zstd, outputByteCountMax: byteCount), tag: tag, for: head)
        }
    }

    private init(body: ResponseBody, coding: ContentCoding, tag: EntityTag, isNegotiable: Bool) {
        self.body = body
        self.coding = coding
        self.tag = tag.of(coding)
        self.isNegotiable = isNegotiable
    }

    /// The lines that belong to it: `ETag`, `Vary` and `Content-Encoding`.
    var headers: [(String, String)] {
        var headers = [("ETag", tag.description)]
        // RFC 9110, section 12.5.5: caches between need to know that others may be sent something else.
        if isNegotiable { headers.append(("Vary", "Accept-Encoding")) }
        if coding != .identity { headers.append(("Content-Encoding", coding.rawValue)) }
        return headers
    }

    /// 200 with the text; 304 where the client has it already (RFC 9110, section 13.1.2).
    ///
    /// - Parameters:
    ///   - head: the same as in `init`.
    ///   - more: the answer's other lines.
    func response(to head: RequestHead, contentType: String, headers more: [(String, String)] = []) -> Response {
        let lines = [("Content-Type", contentType)] + headers + more
        if let known = head.header("If-None-Match").flatMap(ETagList.init), known.matchesWeakly(tag) {
            return Response(.notModified, headers: lines, body: .empty)
        }
        return Response(.ok, headers: lines, body: body)
    }
}

extension ContentCoding {
    /// How it is made; nil for none.
    fileprivate var streamCoding: StreamCoding? {
        switch self {
        case .zstd: .zstd
        case .gzip: .gzip
        case .identity: nil
        }
    }
}

extension EntityTag {
    /// The tag of the same text in a coding.
    fileprivate func of(_ coding: ContentCoding) -> EntityTag {
        coding == .identity ? self : EntityTag("\(opaque)-\(coding.rawValue)", isWeak: true)
    }
}
