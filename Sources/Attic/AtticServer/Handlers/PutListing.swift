import AtticAPI
import Compression
import Database
import HTTPServer
import Nix

/// `PUT /{cache}/{hash}.ls`: takes a listing as plain Nix sends one, and keeps nothing of it, since it is made here of the NAR
/// itself. It is checked: its form, and where the path is here, whether it is that NAR's.
///
/// Nix sends it between the NAR and the narinfo, so the path is seldom here yet.
enum PutListing {
    static func respond(_ call: Call, _ name: CacheName, _ hash: StorePathHash) throws -> Response {
        let cache = try call.enter(name, needing: .push)
        let comparison = try kept(call, cache, hash)
        var reader = NarListingReader()
        try unsafe call.forEachDecodedBuffer(upTo: Bounds.receivedListingBytesMax) { bytes in
            do throws(NarListingError) { try unsafe reader.feed(bytes) } catch { throw Problem.request("\(error).") }
            try check(reader.take(), comparison, hash)
        }
        do throws(NarListingError) { try reader.finish() } catch { throw Problem.request("\(error).") }
        try check(reader.take(), comparison, hash)
        return Response(.ok)
    }

    /// The listing to compare with: nil where the path is not here, where its listing is not at hand, and for who could not read
    /// it, and must not find out by trying.
    private static func kept(_ call: Call, _ cache: CacheRecord, _ hash: StorePathHash) throws -> ListingComparison? {
        guard call.visitor.permissions(on: cache.name, isPublic: cache.isPublic).contains(.pull) else { return nil }
        let object = try call.context.catalog.read { session throws(DatabaseError) in
            try session.findObject(cache.id, hash)
        }
        // What is damaged is no reason to refuse a push, which may be what repairs it.
        guard let nar = object?.nar, !nar.isDamaged, case .text(let frame, let byteCount)? = try? call.context.listings.findCheaply(nar)
        else { return nil }
        return ListingComparison(frame: frame, byteCount: byteCount)
    }

    private static func check(_ text: [UInt8], _ comparison: ListingComparison?, _ hash: StorePathHash) throws {
        guard let difference = try comparison?.take(text) else { return }
        func words(_ bytes: ArraySlice<UInt8>) -> String { Route.printable(String(decoding: bytes, as: UTF8.self)) }
        throw Problem.request(
            """
            the listing contradicts the NAR of \(hash): behind \(words(difference.context)) it has \(words(difference.found)), \
            and the NAR \(words(difference.expected)).
            """)
    }
}
