import SQL

/// What a database says of the storage that its packs lie in.
package struct StorageOutline: Sendable {
    /// Packs that are named in it.
    static let latestPacksMax = 10

    /// What it knows the storage by; nil where no server has opened one yet.
    package let storageID: String?
    /// Whether it names any pack, loose or not.
    package let namesPacks: Bool
    /// The names of some packs that the storage must have, the latest first.
    package let latestPacks: [String]

    /// Of a database in which nothing is.
    package static let empty = StorageOutline(storageID: nil, namesPacks: false, latestPacks: [])
}

/// Which storage the database's packs lie in.
extension CatalogSession {
    /// The id of the storage; nil where no server has opened one yet. Needs no `write`.
    package func storageID() throws(DatabaseError) -> String? {
        try trying("look for the storage's id") { connection throws(SQLError) in
            try connection.first("SELECT id FROM storage") { row throws(SQLError) in try row.text(0) }
        }
    }

    /// What there is to say of the storage. Needs no `write`.
    package func storageOutline() throws(DatabaseError) -> StorageOutline {
        StorageOutline(storageID: try storageID(), namesPacks: try namesPacks(), latestPacks: try latestPacks())
    }

    private func latestPacks() throws(DatabaseError) -> [String] {
        try trying("look for the latest packs") { connection throws(SQLError) in
            try connection.query("SELECT name FROM pack ORDER BY id DESC LIMIT $1", [.integer(Int64(StorageOutline.latestPacksMax))]) {
                row throws(SQLError) in try row.text(0)
            }
        }
    }

    /// Makes a storage the one that packs lie in, where there is none; needs `write`.
    ///
    /// - Parameter replacing: also where there is one, as long as the database names no pack.
    /// - Returns: the id of the one that it is.
    package func claimStorage(_ id: String, replacing: Bool) throws(DatabaseError) -> String {
        if let known = try storageID() {
            if known == id || !replacing { return known }
            if try namesPacks() { return known }
        }
        try noteStorage(id)
        return id
    }

    /// Makes a storage the one that packs lie in, whatever it was; needs `write`.
    package func noteStorage(_ id: String) throws(DatabaseError) {
        try trying("note the storage's id") { connection throws(SQLError) in
            try connection.execute("DELETE FROM storage")
            try connection.execute("INSERT INTO storage (id) VALUES ($1)", [.text(id)])
        }
    }
}
