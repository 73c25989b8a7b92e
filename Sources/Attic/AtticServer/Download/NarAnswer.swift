import Database
import HTTP
import HTTPServer

/// What a cache answers for one of its NARs: made from the database by `GetNar`, and kept in memory for the loops.
///
/// The hash of what is sent is its entity tag: the same bytes have the same one behind every URL.
struct NarAnswer: Sendable {
    /// The object through which the NAR was reached: pulled, when this is answered. Nil for one whose narinfo is to come.
    let objectID: Int64?
    let nar: NarRecord
    let tag: EntityTag
    /// Those of every answer about this NAR.
    let headers: [(String, String)]
    /// Of all of it, as it is sent.
    let byteCount: Int64
    /// Told what a body ended with that was broken off because stored bytes did not come.
    private let onDamage: @Sendable (any Error) -> Void

    init(
        _ nar: NarRecord, objectID: Int64?, in cache: CacheRecord, _ lifetime: Headers.Lifetime,
        onDamage: @escaping @Sendable (any Error) -> Void
    ) {
        self.objectID = objectID
        self.nar = nar
        self.onDamage = onDamage
        tag = EntityTag(nar.sentHash.base32)
        byteCount = nar.sentByteCount
        headers =
            [("Content-Type", "application/x-nix-nar"), ("Accept-Ranges", "bytes"), ("ETag", tag.description)]
            + Headers.caching(of: cache, lifetime) + Headers.visibility(of: cache)
    }

    /// 304, where the client has these bytes already (RFC 9110, section 13.1.2); nil where it does not say so.
    func notModified(_ head: RequestHead) -> Response? {
        guard let known = head.header("If-None-Match").flatMap(ETagList.init), known.matchesWeakly(tag) else { return nil }
        return Response(.notModified, headers: headers, body: .empty)
    }

    /// All of it: what is answered to a head that `wantsWhole`.
    func whole(_ assembly: NarAssembly) -> Response {
        var response = Response(.ok, headers: headers, body: body(0..<byteCount, assembly))
        response.permit = assembly.standing
        return response
    }

    /// What a request asks for: all of it, or one range.
    func response(to head: RequestHead, _ assembly: NarAssembly) -> Response {
        // If-Range: the range counts only where the client's copy is of these bytes; and only of GET (RFC 9110, section 14.2).
        let isOfOurs = head.method == .get && EntityTag.ifRange(head.header("If-Range"), matches: tag)
        let range = ByteRange(isOfOurs ? head.header("Range") : nil, byteCount: byteCount)
        let contentRange = range.contentRange(byteCount: byteCount).map { [("Content-Range", $0)] } ?? []
        switch range {
        case .whole:
            return whole(assembly)
        case .partial(let range):
            var response = Response(.partialContent, headers: headers + contentRange, body: body(range, assembly))
            response.permit = assembly.standing
            return response
        case .unsatisfiable:
            // To be asked again: an answer that may be kept for a year would be kept, this one as well.
            let kept = headers.filter { $0.0 == "Accept-Ranges" || $0.0 == "ETag" }
            return Response(.rangeNotSatisfiable, headers: kept + contentRange + [("Cache-Control", "no-store")], body: .empty)
        }
    }

    /// - Parameter range: of what is sent.
    private func body(_ range: Range<Int64>, _ assembly: NarAssembly) -> ResponseBody {
        if nar.isSentAsStored { return assembly.body(range, onDamage: onDamage) }
        return RecodedNar(nar: nar, assembly: assembly, coding: .none, onDamage: onDamage).body(range)
    }
}
