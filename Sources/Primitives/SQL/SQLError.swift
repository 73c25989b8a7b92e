/// What a database refused: what was tried, on what, its own words and code.
package struct SQLError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What callers tell apart.
    package enum Kind: Sendable, Hashable {
        /// Another connection holds the lock, and waiting for it took too long.
        case busy
        /// The disk, or the quota, is full.
        case full
        /// The file is damaged.
        case corrupt
        /// The file is not a database at all.
        case notDatabase
        case cannotOpen
        /// A log beside the file has changes that are not in it yet, and nothing may be written there.
        case logUnread
        /// A server did not prove who it is as its URL demands.
        case untrusted
        case readOnly
        /// A UNIQUE, NOT NULL, CHECK or FOREIGN KEY constraint said no.
        case constraint
        case inputOutput
        /// The server is not reached, or went away, or is not ready.
        case disconnected
        /// A commit of which nobody can say whether it was made.
        case inDoubt
        /// A column does not hold what it should.
        case mismatch
        case other
    }

    package let kind: Kind
    /// The database's own: SQLite's extended result code in digits, or PostgreSQL's five characters; empty where there is none.
    package let code: String
    /// What was tried, as a verb: `open`, `run`.
    package let operation: String
    /// On what: the path, or the statement on one line, shortened.
    package let subject: String
    /// The database's own words.
    package let message: String

    /// Whether a server said so, and not a file.
    package var isOfServer: Bool { subject.hasPrefix("postgresql:") || code.utf8.count == 5 }

    /// Whether a server refused one more connection as it has as many as it may, or as the user may have. It has no code where it
    /// refuses a connection, only words.
    package var isForWantOfConnections: Bool {
        kind == .disconnected && (message.contains("too many") || message.contains("remaining connection slots"))
    }

    package init(kind: Kind, code: String, operation: String, subject: String, message: String) {
        self.kind = kind
        self.code = code
        self.operation = operation
        self.subject = SQLError.shortened(subject)
        self.message = message
    }

    /// `cannot run "SELECT id FROM cache": no such table: cache (code 1)`
    package var description: String {
        "cannot \(operation) \"\(subject)\": \(message)" + (code.isEmpty ? "" : " (code \(code))")
    }

    /// A statement on one line of at most 160 characters: enough to find it, little enough for a log.
    package static func shortened(_ sql: String) -> String {
        let line = sql.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return line.count <= 160 ? line : line.prefix(159) + "…"
    }
}
