import SQL

/// The connection that writes, and how its transactions begin and end, in which databases differ.
///
/// Thread: the committer's, one at a time.
protocol WritingConnection: AnyObject {
    var connection: any SQLConnection { get }

    /// The thread that moves what was committed to where it stays, where there is one.
    var checkpointer: Checkpointer? { get }

    /// Begins a transaction. Until it ends no other connection writes, of this process or any other.
    func begin(surviving durability: WriteDurability) throws(SQLError)

    /// - Throws: `.inDoubt` where nobody can say whether it was committed; after anything else it was not.
    func commit() throws(SQLError)

    /// Asks the database something while no transaction is open, so that those between notice that the connection is in use.
    ///
    /// - Returns: whether another process has committed since this was asked last; false where the database tells that to
    ///   `WatchingConnection` alone.
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

/// A connection that looks whether others have written. It is not the one that writes, so it waits for no commit of ours.
///
/// Thread: one at a time.
protocol WatchingConnection: AnyObject {
    /// What was committed since this was asked last; the first time nobody can tell.
    func look() throws(SQLError) -> Sight
}

/// What a look for others' changes came to.
enum Sight: Sendable {
    /// No other process has committed.
    case nothing
    /// Somebody has committed; whether that was another process only the connection that writes can tell.
    case something
    /// Another process has committed, or nobody can tell.
    case others
}

/// A connection that only reads. Thread: one at a time.
protocol ReadingConnection: AnyObject {
    var connection: any SQLConnection { get }

    /// Why the connection is lost and cannot be made again for now, though the server is there: it has none left to give.
    var refusal: SQLError? { get }

    /// Begins to read one state of the database.
    func begin() throws(SQLError)

    func end()

    /// Lets those between notice that the connection is in use.
    func touch()
}
