import Database
import Storage

/// Whether a bucket is this database's. They know each other by an id, which is in the second line of the bucket's VERSION and, behind
/// the word `bucket`, in the database's table `storage`. Two databases on one bucket would take each other's packs for strangers, which
/// `fsck --repair` deletes; a database with another's bucket would take its own packs for lost.
///
/// Where one of them does not know of an id yet, packs speak for it: a bucket that has packs is no new database's, and a database that
/// names packs is of a bucket that has some of them.
struct BucketIdentity {
    /// What a database knows a bucket by that it was opened with before buckets had ids.
    private static let word = "bucket"

    /// What the database says that is a bucket's; nil where it says nothing.
    private let known: String?
    /// What is wrong and what to do; nil where the bucket is this database's, or may become it.
    let refusal: String?

    /// Whether a database means a bucket by what it knows its storage by.
    static func isMeant(by known: String) -> Bool { known == word || known.hasPrefix("\(word) ") }

    /// Compares, and asks the bucket for packs where that leaves a doubt.
    ///
    /// - Throws: where the bucket cannot be asked.
    init(_ store: S3ChunkStore, _ database: StorageOutline) throws(StorageError) {
        known = database.storageID.flatMap { $0.hasPrefix("\(Self.word) ") ? String($0.dropFirst(Self.word.count + 1)) : nil }
        refusal = try Self.refusal(of: store, known, database)
    }

    private static func refusal(
        of store: S3ChunkStore, _ known: String?, _ database: StorageOutline
    ) throws(StorageError) -> String? {
        if database.namesPacks, let id = database.storageID, !isMeant(by: id) {
            return "the packs that the database names are in a directory, of which VERSION says \(id): name it as [storage] path"
        }
        if let said = store.id, said == known { return nil }
        let words = (said: store.id ?? "nothing", known: known ?? "nothing")
        if !database.namesPacks {
            if store.id == nil {
                // Nobody has stored anything there.
                let hasPacks = try store.hasPacks()
                if !hasPacks { return nil }
            }
            return "it has the packs of another database: its VERSION says \(words.said), this database, which names no packs, \(words.known). Name a bucket of this one's own as [storage] bucket; where that other database is lost for good, empty the bucket"
        }
        if store.id == nil || known == nil {
            let packs = database.latestPacks.compactMap { PackName($0) }
            if packs.isEmpty { return nil }
            let isTheirs = try store.hasAny(of: packs)
            if isTheirs { return nil }
        }
        return "it is another database's: its VERSION says \(words.said), this database \(words.known). Name the bucket that has this one's packs as [storage] bucket; where that is lost for good, give both one id: in the second line of the S3 object VERSION, and behind the word \"\(word)\" in the database's table \"storage\""
    }

    /// Refuses a bucket that is not this database's, and makes both known to each other where somebody serves.
    ///
    /// - Parameter place: names the bucket in errors.
    /// - Throws: `.refused`, with what to do; `.checkFailed` where the database cannot be asked; what the bucket says to being asked.
    static func check(_ store: S3ChunkStore, at place: String, _ catalog: Catalog, forServing: Bool) throws(StorageError) {
        func asking<Result>(_ body: () throws(DatabaseError) -> Result) throws(StorageError) -> Result {
            do throws(DatabaseError) { return try body() } catch { throw StorageError("open storage", place, .checkFailed("\(error)")) }
        }
        let database = try asking { () throws(DatabaseError) in
            try catalog.read { session throws(DatabaseError) in try session.storageOutline() }
        }
        let identity = try BucketIdentity(store, database)
        if let refusal = identity.refusal { throw StorageError("open storage", place, .refused(refusal)) }
        guard forServing, store.id == nil || identity.known == nil else { return }
        let proposal = "\(word) \(identity.known ?? store.id ?? PackName.random().text)"
        // The database is first: servers that start together give the bucket one id.
        let agreed = try asking { () throws(DatabaseError) in
            try catalog.write { session throws(DatabaseError) in
                if let now = try session.storageID(), now.hasPrefix("\(word) ") { return now }
                try session.noteStorage(proposal)
                return proposal
            }
        }
        if store.id == nil { try store.setID(String(agreed.dropFirst(word.count + 1))) }
    }
}
