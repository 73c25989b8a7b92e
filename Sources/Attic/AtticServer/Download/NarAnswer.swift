import Database
import HTTP
import HTTPServer

/// What a cache answers for one of its NARs: made from the database by `GetNar`, and kept in memory for the loops.
///
/// The bytes behind a NAR's URL never change, so the file hash is its entity tag.
struct NarAnswer: Sendable {
    /// The object through which the NAR was reached: pulled, when this is answered.
    let objectID: Int64
    let tag: EntityTag
    /// Those of every answer about this NAR.
    let headers: [(String, String)]
    /// Of the stored NAR.
    let byteCount: Int64

    init(_ nar: NarRecord, objectID: Int64, in cache: CacheRecord) {
        self.objectID = objectID
        tag = EntityTag(nar.fileHash.base32)
        byteCount = nar.fileSize
        headers = [
            ("Content-Type", "application/x-nix-nar"),
            ("Accept-Ranges", "bytes"),
            ("ETag", tag.description),
            // Whoever may read a public cache may keep its NARs for good; a private one's stay with the client.
            ("Cache-Control", cache.isPublic ? "public, max-age=31536000, immutable" : "private, max-age=31536000, immutable"),
        ] + Headers.visibility(of: cache)
    }

    /// 304, where the client has these bytes already (RFC 9110, section 13.1.2); nil where it does not say so.
    func notModified(_ head: RequestHead) -> Response? {
        guard let known = head.header("If-None-Match").flatMap(ETagList.init), known.matchesWeakly(tag) else { return nil }
        return Response(.notModified, headers: headers, body: .empty)
    }

    /// All of it: what is answered to a head that `wantsWhole`.
    func whole(_ assembly: NarAssembly) -> Response {
        Response(.ok, headers: headers, body: .files(assembly.extents, byteCount: byteCount))
    }

    /// What a request asks for: all of it, or one range.
    func response(to head: RequestHead, _ assembly: NarAssembly) -> Response {
        // If-Range: the range counts only where the client's copy is of these bytes.
        let asked = EntityTag.ifRange(head.header("If-Range"), matches: tag) ? head.header("Range") : nil
        let range = ByteRange(asked, byteCount: byteCount)
        let contentRange = range.contentRange(byteCount: byteCount).map { [("Content-Range", $0)] } ?? []
        switch range {
        case .whole:
            return whole(assembly)
        case .partial(let range):
            let part = ResponseBody.files(assembly.extents(of: range), byteCount: Int64(range.count))
            return Response(.partialContent, headers: headers + contentRange, body: part)
        case .unsatisfiable:
            return Response(.rangeNotSatisfiable, headers: headers + contentRange, body: .empty)
        }
    }
}
