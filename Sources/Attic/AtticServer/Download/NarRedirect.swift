import Database
import HTTP
import HTTPServer
import Storage

/// The answer to who asks for a NAR that is all of one pack in a bucket: where the bucket itself gives it. Only where the operator
/// wants it (`redirect` in `[storage]`).
///
/// The URL is signed, so whoever has it needs no token; it is given to none but those who may pull, for this one NAR, and for a few
/// minutes.
enum NarRedirect {
    /// Nil where this NAR is answered from here.
    ///
    /// - Throws: `StorageError` where the pack is lost: whoever was sent there would not say so here.
    static func response(
        to head: RequestHead, _ assembly: NarAssembly, in cache: CacheRecord, _ context: Context
    ) throws(StorageError) -> Response? {
        guard context.configuration.s3?.redirects == true, let pack = assembly.wholePack,
            // What they say is of our entity tags, and the bucket has others: a range could go on with another NAR's bytes.
            head.header("If-Range") == nil, head.header("If-Match") == nil,
            // Of times we say nothing, and the bucket does.
            head.header("If-Modified-Since") == nil, head.header("If-Unmodified-Since") == nil,
            let url = try context.store.presignedURL(of: pack, method: head.method, seconds: Bounds.presignedSeconds)
        else { return nil }
        // The next who asks gets a URL of its own.
        return Response(.temporaryRedirect, headers: [("Location", url), ("Cache-Control", "no-store")] + Headers.visibility(of: cache))
    }
}
