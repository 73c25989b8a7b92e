import Database
import Storage

/// Whether a bucket is this database's. They know each other by an id, which is in the second line of the bucket's VERSION and, behind
/// the word `bucket`, in the database's table `storage`. Two databases on one bucket would take each other's packs for strangers, which
/// `fsck --repair` deletes; a database with another's bucket would take its own packs for lost.
struct BucketIdentity {
    /// What a database knows a bucket by that it was opened with before buckets had ids.
    private static let word = "bucket"

    /// What the bucket says, and what the database says that is a bucket's; nil where they say nothing.
    private let said, known: String?
    /// What is wrong and what to do; nil where the bucket is this database's, or may become it.
    let refusal: String?

    /// Whether a database means a bucket by what it knows its storage by.
    static func isMeant(by known: String) -> Bool { known == word || known.hasPrefix("\(word) ") }

    /// - Parameters:
    ///   - said: the bucket's id; nil where it has none yet.
    ///   - storageID: what the database knows its storage by.
    ///   - isUsed: whether it names packs.
    init(said: String?, storageID: String?, isUsed: Bool) {
        self.said = said
        known = storageID.flatMap { $0.hasPrefix("\(Self.word) ") ? String($0.dropFirst(Self.word.count + 1)) : nil }
        if isUsed, let storageID, !Self.isMeant(by: storageID) {
            refusal = "the packs that the database names are in a directory, of which VERSION says \(storageID): name it as [storage] path, or copy them into the bucket first and change the database's table \"storage\" to \"\(Self.word)\""
        } else if let said, said != known, known != nil || !isUsed {
            // A database that names packs and knows of no id is this bucket's, of the time before there were ids.
            refusal = "it has the packs of another database: its VERSION says \(said), this database \(known ?? "nothing yet"). Name this one's own bucket as [storage] bucket; where that other database is lost for good, take the second line out of the S3 object VERSION"
        } else {
            refusal = nil
        }
    }

    /// Refuses a bucket that is not this database's, and makes both known to each other where somebody serves.
    ///
    /// - Parameter place: names the bucket in errors.
    /// - Throws: `.refused`, with what to do; `.checkFailed` where the database cannot be asked.
    static func check(_ store: S3ChunkStore, at place: String, _ catalog: Catalog, forServing: Bool) throws(StorageError) {
        let found: (identity: BucketIdentity, id: String?)
        do throws(DatabaseError) {
            found = try forServing ? catalog.write { session throws(DatabaseError) in
                let identity = try BucketIdentity(said: store.id, session)
                if identity.refusal != nil { return (identity, nil) }
                // The database is first: servers that start together give the bucket one id.
                let id = identity.known ?? identity.said ?? PackName.random().text
                if identity.known == nil { try session.noteStorage("\(word) \(id)") }
                return (identity, id)
            } : catalog.read { session throws(DatabaseError) in (try BucketIdentity(said: store.id, session), nil) }
        } catch { throw StorageError("open storage", place, .checkFailed("\(error)")) }
        if let refusal = found.identity.refusal { throw StorageError("open storage", place, .refused(refusal)) }
        if store.id == nil, let id = found.id { try store.setID(id) }
    }

    private init(said: String?, _ session: CatalogSession) throws(DatabaseError) {
        self.init(said: said, storageID: try session.storageID(), isUsed: try session.namesPacks())
    }
}
