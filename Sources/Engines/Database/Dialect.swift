/// The few phrases in which databases differ; all other SQL text is the same for every one.
struct Dialect: Sendable {
    /// The type of a row's own number. Numbers are never given twice: an id that somebody remembers must not come
    /// to mean another row.
    let identity: String
    let integer: String
    let blob: String
    /// What follows a table's columns; and of a table whose primary key is where its rows live.
    let table: String
    let tableByKey: String
    /// Marks the file as ours, where there is a file.
    let mark: String
    /// The text that bytes of ASCII spell.
    let text: @Sendable (_ bytes: String) -> String

    static let sqlite = Dialect(
        identity: "INTEGER PRIMARY KEY AUTOINCREMENT",
        integer: "INTEGER",
        blob: "BLOB",
        table: "STRICT",
        tableByKey: "STRICT, WITHOUT ROWID",
        mark: "PRAGMA application_id = \(Catalog.applicationID);",
        text: { "CAST(\($0) AS TEXT)" }
    )

    /// A list of any length in one parameter: `$1` holds the items one after another, 32 bytes each, and this common table
    /// expression cuts them out again as `item (n, value)`, counted from 0.
    ///
    /// A parameter for each would end at 32,766 of them; a temporary table would need a connection that may write.
    /// It must be the first of the statement, as it names `$1`.
    var blobItems: String { items("substr($1, n * 32 + 1, 32)") }

    /// As `blobItems`, for items of 32 ASCII characters that are compared with text.
    var textItems: String { items(text("substr($1, n * 32 + 1, 32)")) }

    private func items(_ value: String) -> String {
        """
        WITH RECURSIVE place (n) AS (
            SELECT 0 WHERE length($1) >= 32
            UNION ALL SELECT n + 1 FROM place WHERE (n + 2) * 32 <= length($1)
        ), item (n, value) AS (SELECT n, \(value) FROM place)
        """
    }
}
