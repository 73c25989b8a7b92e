import SQL

/// The connection that writes, and how its transactions begin and end, in which databases differ.
///
/// Thread: the committer's, one at a time.
protocol WritingConnection: AnyObject {
    var connection: any SQLConnection { get }

    /// The thread that moves what was committed to where it stays, where there is one.
    var checkpointer: Checkpointer? { get }

    /// Begins a transaction. Until it ends no other connection writes, of this process or any other.
    ///
    /// - Returns: whether another process has committed since the last transaction.
    func begin(surviving durability: WriteDurability) throws(SQLError) -> Bool

    /// - Throws: `.inDoubt` where nobody can say whether it was committed; after anything else it was not.
    func commit() throws(SQLError)

    /// Asks, while no transaction is open, whether another process has committed since the last one, or since this was asked last.
    /// Does not wait for a server that is away.
    func look() throws(SQLError) -> Bool

    /// Everybody who waited for the last commit was told.
    func committed()

    /// Undoes what is open, if anything is.
    func rollBack()

    /// Whether a transaction that failed so, and was rolled back, should be tried again; waits before it says yes.
    ///
    /// - Parameter tries: how often it was tried.
    func shouldTryAgain(after failure: DatabaseError, tries: Int) -> Bool
}

/// A connection that only reads. Thread: one at a time.
protocol ReadingConnection: AnyObject {
    var connection: any SQLConnection { get }

    /// Begins to read one state of the database.
    func begin() throws(SQLError)

    func end()

    /// Lets those between notice that the connection is in use.
    func touch()
}
