import Database
import Storage

extension PackState {
    /// The storage's word of a pack, as the database is told it. They are two types because neither knows the other.
    init(_ written: WrittenPack) {
        self.init(
            name: written.name.text, byteCount: written.byteCount, beginByteCount: written.beginByteCount,
            isSealed: written.isSealed, isLoose: written.isLoose)
    }
}
