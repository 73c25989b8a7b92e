import Database
import Storage

extension Extent {
    /// Where a row says that bytes lie; nil where it can be no place: rows may be damaged too.
    init?(_ place: StoredExtent) {
        guard let pack = PackName(place.pack), place.offset >= 0, place.byteCount > 0, place.offset <= .max - place.byteCount
        else { return nil }
        self.init(pack: pack, offset: place.offset, byteCount: place.byteCount)
    }
}
