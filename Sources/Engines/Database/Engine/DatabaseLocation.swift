import SQL

/// Where a catalog is: a file of this machine, or a server.
package enum DatabaseLocation: Sendable, Hashable {
    /// The path of an SQLite file.
    case sqlite(path: String)
    case postgres(PostgresLocation)

    /// What messages call it; never with a password in it.
    package var name: String {
        switch self {
        case .sqlite(let path): path
        case .postgres(let location): location.name
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
