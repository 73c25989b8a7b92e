import Platform
import SQL

/// Where a catalog is: a file of this machine, or a server.
package enum DatabaseLocation: Sendable, Hashable {
    /// The path of an SQLite file.
    case sqlite(path: String)
    case postgres(PostgresLocation)

    /// Reads libpq's URL of a database (https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING); nil where it is none.
    package init?(postgresURL url: String) {
        // What the server's own lists show of us, and who is told that we have a lock.
        guard let location = try? PostgresLocation(url: url, applicationName: "tetryx, \(ThisProcess.name)") else { return nil }
        self = .postgres(location)
    }

    /// What messages call it; never with a password in it.
    package var name: String {
        switch self {
        case .sqlite(let path): path
        case .postgres(let location): location.name
        }
    }

    /// Whether its URL has a password in it.
    package var hasPassword: Bool {
        switch self {
        case .sqlite: false
        case .postgres(let location): location.hasPassword
        }
    }

    /// The path of the file, where it is one.
    package var path: String? {
        if case .sqlite(let path) = self { path } else { nil }
    }

    var dialect: Dialect {
        switch self {
        case .sqlite: .sqlite
        case .postgres: .postgres
        }
    }
}
