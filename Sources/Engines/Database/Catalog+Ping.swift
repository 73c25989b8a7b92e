extension Catalog {
    /// Asks the database something that it has to look for: whether it answers, and has our schema. Waits for a reader.
    package func ping() throws(DatabaseError) {
        _ = try read { session throws(DatabaseError) in try session.appliedMigrations() }
    }
}
