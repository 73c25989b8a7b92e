import ConfigFile
import Platform

/// Why there is no configuration to run with. One line, which says what to do; never a secret.
package enum ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// A key is missing, unknown or wrong; with file, line and column.
    case file(ConfigFileError)
    case unreadable(SystemError)
    case notUTF8(path: String)
    /// An environment variable holds something that is not allowed.
    case environment(variable: String, reason: String)
    /// Nothing is configured, and this is where it was looked for.
    case notFound(path: String)
    /// What `-f` names is not there.
    case namedNotFound(path: String)
    /// Nothing is configured, and without a home directory there is no place to look.
    case noLocation

    package var description: String {
        switch self {
        case .file(let error): error.description
        case .namedNotFound(let path):
            "there is no configuration: \(path), which -f names, does not exist; name another, or leave -f out: "
                + "the first start without one makes one"
        case .unreadable(let error): "cannot read the configuration: \(error)"
        case .notUTF8(let path): "cannot read the configuration: \(path) is not UTF-8"
        case .environment(let variable, let reason): "the environment variable \(variable): \(reason)"
        case .notFound(let path):
            "there is no configuration: \(path) does not exist; start atticd once to make one, or name a file with -f"
        case .noLocation:
            "there is no configuration: neither XDG_CONFIG_HOME nor HOME is set; name a file with -f, or set "
                + "\(EnvironmentVariable.configBase64)"
        }
    }
}

/// The environment variables of the server, once.
package enum EnvironmentVariable {
    package static let configBase64 = "ATTIC_SERVER_CONFIG_BASE64"
    package static let databaseURL = "ATTIC_SERVER_DATABASE_URL"
    package static let hs256Secret = "ATTIC_SERVER_TOKEN_HS256_SECRET_BASE64"
    package static let rs256Secret = "ATTIC_SERVER_TOKEN_RS256_SECRET_BASE64"
    package static let rs256PublicKey = "ATTIC_SERVER_TOKEN_RS256_PUBKEY_BASE64"

    static let all = [configBase64, databaseURL, hs256Secret, rs256Secret, rs256PublicKey]

    /// As AWS's own tools have them.
    package static let awsKeyID = "AWS_ACCESS_KEY_ID"
    package static let awsSecret = "AWS_SECRET_ACCESS_KEY"
    package static let awsToken = "AWS_SESSION_TOKEN"

    /// Those that hold secrets, or may: a database's URL can have a password in it.
    static let secrets = [configBase64, databaseURL, hs256Secret, rs256Secret, awsSecret, awsToken]
}

/// What is wrong with one value, wherever it came from.
struct ValueError: Error {
    let sentence: String
    init(_ sentence: String) { self.sentence = sentence }
}
