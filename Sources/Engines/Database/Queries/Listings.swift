import SQL

/// Listings of NARs: find, keep.
extension CatalogSession {
    /// What is known of a NAR's listing; nil where it was never kept.
    package func findListing(ofNar narID: Int64) throws(DatabaseError) -> ListingRecord? {
        try trying("find a listing") { connection throws(SQLError) in
            try connection.first(CatalogSession.findListingSQL, [.integer(narID)]) { row throws(SQLError) in
                if let reason = try row.optionalText(2) { return .none(reason: reason) }
                return .text(frame: try row.blob(0), byteCount: try row.integer(1))
            }
        }
    }

    static let findListingSQL = "SELECT listing, byte_count, obstacle FROM nar_listing WHERE nar_id = $1"

    /// Keeps a NAR's listing, unless it has one or the NAR is gone. Needs `write`.
    package func keepListing(_ listing: ListingRecord, ofNar narID: Int64) throws(DatabaseError) {
        try trying("keep a listing") { connection throws(SQLError) in try connection.keep(listing, ofNar: narID) }
    }

    /// Forgets a NAR's listing: it is made anew when somebody asks. Needs `write`.
    package func removeListing(ofNar narID: Int64) throws(DatabaseError) {
        try trying("forget a listing") { connection throws(SQLError) in
            try connection.execute("DELETE FROM nar_listing WHERE nar_id = $1", [.integer(narID)])
        }
    }
}

extension SQLConnection {
    /// Keeps a NAR's listing, unless it has one or the NAR is gone.
    func keep(_ listing: ListingRecord, ofNar narID: Int64) throws(SQLError) {
        let values: [SQLValue] = switch listing {
        case .text(let frame, let byteCount): [.blob(frame), .integer(byteCount), .null]
        case .none(let reason): [.blob([]), .integer(0), .text(reason)]
        }
        try executeLater(
            """
            INSERT INTO nar_listing (nar_id, listing, byte_count, obstacle)
            SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT 1 FROM nar WHERE id = $1)
            ON CONFLICT (nar_id) DO NOTHING
            """, [[.integer(narID)] + values])
    }
}
