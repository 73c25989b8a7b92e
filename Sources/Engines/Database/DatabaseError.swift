import SQL

/// What the database refused: what was tried, with which statement, its own words and code, and what to do.
package struct DatabaseError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What callers tell apart.
    package enum Kind: Sendable, Hashable {
        /// Another process kept the lock longer than we wait: try again later.
        case busy
        /// No room on the disk; nothing was written.
        case full
        /// The file is damaged.
        case corrupt
        case cannotOpen
        /// The file is a database, but not one of ours (or not a database at all).
        case notOurs
        /// Its schema was made by a newer version than this one.
        case tooNew
        /// The catalog was closed.
        case closed
        /// The database's server is not reached, or went away; nothing was written.
        case unreachable
        /// The server went away in the midst of a commit, and whether that was made is not known.
        case inDoubt
        case constraint
        /// The disk does not give or take bytes, or only gives them.
        case diskTrouble
        case other
    }

    package let kind: Kind
    /// Whether it is certain that a write which failed so has changed nothing: it was refused before its commit, or rolled
    /// back. Otherwise a crash may yet bring it to light.
    package var leavesNothingWritten: Bool {
        switch kind {
        case .busy, .full, .closed, .unreachable, .constraint: true
        case .corrupt, .cannotOpen, .notOurs, .tooNew, .diskTrouble, .inDoubt, .other: false
        }
    }
    /// What was tried, as a verb: `find an object`.
    package let operation: String
    /// The statement on one line, shortened; or the path.
    package let subject: String
    /// The cause, in the database's words; and what to do about it where that is known.
    package let message: String
    /// The database's own code (`SQLError.code`); empty where it had none to give.
    package let code: String

    package init(_ kind: Kind, _ operation: String, _ subject: String, _ message: String, code: String = "") {
        self.kind = kind
        self.operation = operation
        self.subject = subject
        self.message = message
        self.code = code
    }

    init(_ operation: String, _ cause: SQLError) {
        let kind: Kind = switch cause.kind {
        case .busy: .busy
        case .full: .full
        case .corrupt, .mismatch: .corrupt
        case .notDatabase: .notOurs
        case .cannotOpen, .untrusted, .logUnread: .cannotOpen
        case .constraint: .constraint
        case .readOnly, .inputOutput: .diskTrouble
        case .disconnected: .unreachable
        case .inDoubt: .inDoubt
        case .other: .other
        }
        self.init(kind, operation, cause.subject, cause.message + DatabaseError.advice(kind, cause), code: cause.code)
    }

    /// `cannot find an object: database disk image is malformed; … (code 11, at "SELECT …")`
    package var description: String {
        "cannot \(operation): \(message) (" + (code.isEmpty ? "" : "code \(code), ") + "at \"\(subject)\")"
    }

    private static func advice(_ kind: Kind, _ cause: SQLError) -> String {
        switch kind {
        case .busy: "; another process holds the database's lock for longer than a transaction should take"
        case .full: "; make room on the file system that holds the database"
        case .corrupt: "; stop the server, and restore the database from a backup"
        case .notOurs: "; name another file in the database url"
        case .cannotOpen where cause.kind == .untrusted:
            "; look at the host in the database url, and at the file of authorities that it names: sslrootcert=/etc/ssl/certs/ca-certificates.crt, or a private one's"
        case .cannotOpen where cause.kind == .logUnread:
            "; copy the file, together with the log, to a directory that this user can write to, and name that"
        case .cannotOpen where cause.isOfServer: "; look at the user, the password and the database in the database url"
        case .cannotOpen: "; it must be a file, in a directory that this user can write to"
        case .diskTrouble where cause.isOfServer: ""
        case .diskTrouble where cause.kind == .readOnly: "; this user must be able to write the file, its -wal and -shm, and their directory"
        case .unreachable where cause.isForWantOfConnections:
            "; lower max-connections in [database], or raise max_connections of PostgreSQL: it has to do for all processes together"
        case .unreachable: "; what waits for it is answered 503 until it is back"
        case .tooNew, .closed, .constraint, .diskTrouble, .inDoubt, .other: ""
        }
    }
}
