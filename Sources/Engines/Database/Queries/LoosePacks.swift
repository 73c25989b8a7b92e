import Platform
import SQL

/// Packs that are in a bucket and that no row of `pack` names. All but the reading needs `write`.
extension CatalogSession {
    /// Notes a pack that is about to be written.
    package func beginLoosePack(_ name: String, expiresAt: WallTime) throws(DatabaseError) {
        try trying("note a pack that is written") { connection throws(SQLError) in
            try connection.execute("INSERT INTO loose_pack (name, expires_at) VALUES ($1, $2)", [.text(name), .time(expiresAt)])
        }
    }

    /// Whether there is any pack, loose or not. Needs no `write`.
    package func namesPacks() throws(DatabaseError) -> Bool {
        try trying("look for packs") { connection throws(SQLError) in
            try connection.first("SELECT 1 WHERE EXISTS (SELECT 1 FROM pack) OR EXISTS (SELECT 1 FROM loose_pack)") { _ in true } ?? false
        }
    }

    /// Gives a pack's writer more time, unless it is going already.
    package func renewLoosePack(_ name: String, expiresAt: WallTime) throws(DatabaseError) {
        try trying("renew a pack that is written") { connection throws(SQLError) in
            try connection.execute(
                "UPDATE loose_pack SET expires_at = $1 WHERE name = $2 AND is_going = 0", [.time(expiresAt), .text(name)])
        }
    }

    /// Nothing of the pack is in the bucket any more.
    package func forgetLoosePack(_ name: String) throws(DatabaseError) {
        try trying("forget a pack that was written") { connection throws(SQLError) in
            try connection.execute("DELETE FROM loose_pack WHERE name = $1", [.text(name)])
        }
    }

    /// Has the packs go whose writers' time is over: none of their commits can have them from now on.
    ///
    /// - Returns: how many there were; call it again while that is `limit`.
    package func loosePacksExpire(at now: WallTime, limit: Int) throws(DatabaseError) -> Int {
        try trying("give up packs that were written") { connection throws(SQLError) in
            try connection.execute(
                """
                UPDATE loose_pack SET is_going = 1 WHERE name IN (
                    SELECT name FROM loose_pack WHERE expires_at <= $1 AND is_going = 0 ORDER BY expires_at LIMIT $2)
                """, [.time(now), .integer(Int64(limit))])
        }
    }

    /// Packs that may be deleted now, by name.
    ///
    /// - Parameter after: gives names above this one only: to go on where a batch ended.
    package func goingPacks(at now: WallTime, limit: Int, after: String) throws(DatabaseError) -> [String] {
        try trying("list the packs that go") { connection throws(SQLError) in
            try connection.query(
                "SELECT name FROM loose_pack WHERE is_going = 1 AND expires_at <= $1 AND name > $2 ORDER BY name LIMIT $3",
                [.time(now), .text(after), .integer(Int64(limit))]
            ) { row throws(SQLError) in try row.text(0) }
        }
    }

    /// As `forgetPack`, for one in a bucket: it goes when the time is over.
    package func loosenPack(_ name: String, until: WallTime) throws(DatabaseError) -> Bool {
        guard try forgetPack(name) else { return false }
        try trying("note a pack that goes") { connection throws(SQLError) in
            try connection.execute(
                "INSERT INTO loose_pack (name, expires_at, is_going) VALUES ($1, $2, 1) ON CONFLICT DO NOTHING",
                [.text(name), .time(until)])
        }
        return true
    }
}

extension SQLConnection {
    /// Whether an upload still has the pack that it wrote.
    func hasLoosePack(_ name: String) throws(SQLError) -> Bool {
        try first("SELECT 1 FROM loose_pack WHERE name = $1 AND is_going = 0", [.text(name)]) { _ in true } ?? false
    }
}
