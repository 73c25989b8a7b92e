import SQL

/// One transaction's view of the catalog: the queries in `Queries/` are its methods.
///
/// Thread: the one that was lent it, for the duration of the body that it was handed to. It must not be kept.
package final class CatalogSession {
    let connection: any SQLConnection
    let dialect: Dialect

    init(_ connection: any SQLConnection, _ dialect: Dialect) {
        self.connection = connection
        self.dialect = dialect
    }

    /// Runs statements, and says in the error what they were for.
    @discardableResult
    func trying<Result>(
        _ operation: String, _ body: (any SQLConnection) throws(SQLError) -> Result
    ) throws(DatabaseError) -> Result {
        do throws(SQLError) { return try body(connection) } catch { throw DatabaseError(operation, error) }
    }
}
