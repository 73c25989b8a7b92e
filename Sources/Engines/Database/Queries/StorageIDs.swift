import SQL

/// Which storage the database's packs lie in.
extension CatalogSession {
    /// The id of the storage; nil where no server has opened one yet. Needs no `write`.
    package func storageID() throws(DatabaseError) -> String? {
        try trying("look for the storage's id") { connection throws(SQLError) in
            try connection.first("SELECT id FROM storage") { row throws(SQLError) in try row.text(0) }
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
