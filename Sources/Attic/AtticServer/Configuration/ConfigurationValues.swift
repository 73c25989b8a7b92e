import AtticAPI
import ConfigFile
import Database
import Encoding

// Values of server.toml that are more than a TOML type; each reader gives a value or a sentence.

/// What a database URL names: a file of SQLite, or a PostgreSQL database. Errors never hold the URL, which may hold a password.
func databaseLocation(ofURL url: String) throws(ValueError) -> DatabaseLocation {
    guard url.hasPrefix("postgresql:") || url.hasPrefix("postgres:") else { return .sqlite(path: try sqlitePath(ofDatabaseURL: url)) }
    guard let location = DatabaseLocation(postgresURL: url) else {
        throw ValueError(
            "this is no URL of a PostgreSQL database: write \"postgresql://user:password@host:5432/database?sslmode=verify-full\" or "
                + "\"postgresql:///database?host=/run/postgresql\", odd characters of the password percent-encoded, and only parameters that libpq knows")
    }
    return location
}

/// The database URL of a place; `databaseLocation` reads it back. A path is absolute.
func databaseURL(of location: DatabaseLocation) -> String {
    switch location {
    case .sqlite(let path): databaseURL(ofSQLitePath: path)
    case .postgres(let server): server.url
    }
}

/// The file that a database URL names: `/path/server.db` of `sqlite:///path/server.db`.
///
/// As the known configurations have it: a path may be relative (`sqlite://server.db`), its odd characters
/// percent-encoded, and `?mode=rwc` or `?mode=rw` may follow.
func sqlitePath(ofDatabaseURL url: String) throws(ValueError) -> String {
    let wanted = "write \"sqlite:///path/server.db\""
    guard url.hasPrefix("sqlite:") else {
        throw ValueError("this is no database URL that is known here; \(wanted) or \"postgresql://user@host/database\"")
    }
    var rest = url.dropFirst("sqlite:".count)
    if rest.hasPrefix("//") { rest = rest.dropFirst(2) }
    let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2 {
        for parameter in parts[1].split(separator: "&") where parameter != "mode=rwc" && parameter != "mode=rw" {
            throw ValueError("of a database URL's parameters only \"mode=rwc\" and \"mode=rw\" are known here; \(wanted)")
        }
    }
    guard let path = percentDecoded(parts[0]), !path.utf8.contains(0) else {
        throw ValueError("the database URL has a malformed percent-encoding; \(wanted)")
    }
    if path.isEmpty || path == ":memory:" { throw ValueError("the database URL names no file; \(wanted)") }
    return path
}

/// The database URL of a file; `path` is absolute.
func databaseURL(ofSQLitePath path: String) -> String {
    var url = "sqlite://"
    for byte in path.utf8 {
        switch byte {
        case UInt8(ascii: "%"), UInt8(ascii: "?"), UInt8(ascii: "#"), 0...0x20, 0x7F...:
            url += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        default: url.unicodeScalars.append(Unicode.Scalar(byte))
        }
    }
    return url
}

private func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else { bytes.append(byte); continue }
        guard rest.count >= 2, let value = Hex.decode(utf8: Array(rest.prefix(2))) else { return nil }
        bytes += value
        rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
}

/// Permissions as chmod(1) takes them in octal: `0660`.
func permissions(_ text: String) throws(ValueError) -> UInt32 {
    guard (3...4).contains(text.utf8.count), let value = UInt32(text, radix: 8), text.utf8.allSatisfy({ (0x30...0x37).contains($0) }), value <= 0o777 else {
        throw ValueError("\"\(text)\" are no permissions; write them in octal, as in \"0660\"")
    }
    return value
}

extension Configuration {
    /// A thousand years; what is longer is a slip, and its milliseconds could overflow.
    static var durationSecondsMax: Int64 { 1000 * 31_557_600 }
}

extension TOMLSection {
    /// A duration in words, in seconds; nil where the key is not there.
    ///
    /// - Parameter allowed: nil for any, up to a thousand years; 0 is for never then.
    func seconds(_ key: String, in allowed: ClosedRange<Int64>? = nil) throws(ConfigFileError) -> Int64? {
        guard let text = try string(key) else { return nil }
        do throws(DurationError) {
            let seconds = try DurationWords.parse(text)
            if (allowed ?? 0...Configuration.durationSecondsMax).contains(seconds) { return seconds }
        } catch { throw self.error(at: key, error.description) }
        guard let allowed else { throw error(at: key, "\"\(text)\" is longer than 1000 years; write \"0\" for never") }
        throw error(
            at: key, "\"\(text)\" is not allowed for \"\(key)\"; write a duration from \(allowed.lowerBound) to \(allowed.upperBound) seconds, as in \"30 seconds\"")
    }
}
