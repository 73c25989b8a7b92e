import CPostgres

/// Where a PostgreSQL database is, who asks, and what holds for every session there.
package struct PostgresLocation: Sendable, Hashable {
    /// libpq's URL, as it was given; it may have a password in it, so it is for files that only their owner reads.
    package let url: String
    /// Server, database and user, for messages: without the password.
    package let name: String
    /// Whether the URL has a password in it, that of the user or of a key.
    package let hasPassword: Bool
    /// What the server's own lists show of us.
    private let applicationName: String

    /// Reads a URL (https://www.postgresql.org/docs/15/libpq-connect.html#LIBPQ-CONNSTRING).
    ///
    ///     postgresql://user:password@host:5432/database?sslmode=verify-full
    ///     postgresql:///database?host=/run/postgresql
    ///
    /// - Throws: `.cannotOpen` with libpq's reason.
    package init(url: String, applicationName: String) throws(SQLError) {
        var reason: UnsafeMutablePointer<CChar>?
        let options = unsafe PQconninfoParse(url, &reason)
        defer { unsafe PQconninfoFree(options) }
        guard var option = unsafe options else {
            // Its words may repeat the URL, and with that the password.
            let isSecret = url.contains("@") || url.contains("password")
            let message = isSecret ? "it is not a URL of PostgreSQL: postgresql://user:password@host:port/database" :
                unsafe PostgresConnection.oneLine(UnsafePointer(reason))
            unsafe PQfreemem(reason)
            throw SQLError(
                kind: .cannotOpen, code: "", operation: "read", subject: isSecret ? "the database url" : url, message: message)
        }
        var values: [String: String] = [:]
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val { unsafe values[String(cString: keyword)] = String(cString: value) }
            unsafe option += 1
        }
        self.url = url
        self.applicationName = applicationName
        hasPassword = values["password"] != nil || values["sslpassword"] != nil
        // Of several hosts each has one, and most have none.
        let port = values["port"].flatMap { $0.contains(",") ? nil : $0 }
        let host = values["host"] ?? values["hostaddr"] ?? ""
        let server = host.isEmpty || host.hasPrefix("/") ? host : host + (port.map { ":\($0)" } ?? "")
        name = "postgresql://" + (values["user"].map { "\($0)@" } ?? "") + (server.hasPrefix("/") ? "" : server)
            + "/" + (values["dbname"] ?? "") + (server.hasPrefix("/") ? "?host=\(server)" : "")
    }

    /// What libpq is told: defaults, then the URL, which has the last word on them.
    ///
    /// A server that vanished without a word is noticed within half a minute, also while nothing is under way; by who watches it, within
    /// three seconds. Clients wait for those who read, so these wait less for a connection; each address of the server has that time.
    func parameters(for use: PostgresConnection.Use) -> (names: [String], values: [String]) {
        let isWatching = use == .watching
        let all = [
            ("fallback_application_name", applicationName), ("connect_timeout", use.connectTimeout), ("client_encoding", "UTF8"),
            ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "4"),
            ("tcp_user_timeout", isWatching ? "3000" : "30000"),
            // Of several hosts the one that may be written; what a standby has is older.
            ("target_session_attrs", "read-write"), ("dbname", url),
        ]
        return (all.map(\.0), all.map(\.1))
    }

    /// What a session is told first. A transaction whose process hangs must not keep others waiting for ever, nor a client that
    /// vanished without a word. Tables are joined in the order in which statements name them, which is chosen with care, and
    /// statements are too short to be worth compiling. What a role or a database has set must not end long statements, nor sessions that
    /// wait.
    func greeting(for use: PostgresConnection.Use) -> String {
        """
        SET client_min_messages = warning; SET standard_conforming_strings = on; SET TIME ZONE 'UTC';
        SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4; SET tcp_user_timeout = 30000;
        SET jit = off; SET join_collapse_limit = 1;
        SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout', 'idle_session_timeout');
        \(use.timeouts)
        """
    }
}

extension PostgresConnection {
    /// What a connection is for: how long the server lets it take.
    package enum Use: Sendable {
        /// Short transactions, one of all processes at a time.
        case writing
        /// Short transactions that nobody waits for.
        case reading
        /// One short statement twice a second, of which a late answer is worth nothing.
        case watching
        /// Whatever takes long.
        case other

        /// Seconds, for each address of the server.
        fileprivate var connectTimeout: String {
            switch self {
            case .writing, .other: "10"
            case .reading: "3"
            case .watching: "2"
            }
        }

        fileprivate var timeouts: String {
            switch self {
            case .writing: "SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '10s';"
            case .reading: "SET idle_in_transaction_session_timeout = '60s'; SET statement_timeout = '60s';"
            case .watching: "SET statement_timeout = '1s';"
            case .other: ""
            }
        }
    }
}
