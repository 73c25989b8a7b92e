import AtticAPI
import ConfigFile
import Platform

/// The places of the user's files, from the environment (XDG Base Directory Specification 0.8).
package struct UserDirectories: Hashable, Sendable {
    /// `$XDG_CONFIG_HOME`, else `$HOME/.config`.
    package let configuration: String

    /// - Throws: where neither variable is an absolute path.
    package init(environment: [String: String]) throws(ClientFailure) {
        // "All paths set in these environment variables must be absolute … relative … should be ignored."
        if let path = environment["XDG_CONFIG_HOME"], path.hasPrefix("/") {
            configuration = path
        } else if let home = environment["HOME"], home.hasPrefix("/") {
            configuration = "\(home)/.config"
        } else {
            throw ClientFailure(
                .usage, "cannot tell where the configuration is: neither XDG_CONFIG_HOME nor HOME is an absolute path",
                advice: "Set one of them.")
        }
    }
}

/// The client's config.toml on disk.
package struct ConfigurationFile: Sendable {
    package let path: String

    package init(_ directories: UserDirectories) { path = "\(directories.configuration)/tetryx/config.toml" }

    /// What it says, and its text; both empty where there is none yet.
    package func load() throws(ClientFailure) -> (configuration: ClientConfiguration, text: String) {
        let text: String?
        do throws(SystemError) { text = try File.readText(path) } catch {
            if error.errno == .noSuchFile { return (ClientConfiguration(), "") }
            throw ClientFailure(error)
        }
        guard let text else { throw ClientFailure(.usage, "cannot read \(path): it is not UTF-8") }
        do throws(ConfigFileError) { return (try ClientConfiguration(parsing: text, name: path), text) } catch {
            throw ClientFailure(.usage, "\(error)", advice: "Mend that line; nothing was changed.")
        }
    }

    /// Writes the text so that others can neither read it nor see it half written.
    package func store(_ text: String) throws(ClientFailure) {
        do throws(SystemError) {
            try Directory.make(File.parent(of: path), permissions: 0o700)
            // A link stays a link: what it points to is replaced.
            let place = File.exists(path) ? try File.resolve(path) : path
            try File.replace(place, with: Array(text.utf8), permissions: 0o600)
        } catch { throw ClientFailure(error) }
    }
}

/// Reading tokens, wherever they are.
package enum TokenText {
    /// The largest that is taken, in bytes; it goes into a header.
    static let byteCountMax = 8192

    /// The token in `text`, white space around it cut off.
    ///
    /// - Parameter source: where it is from, for the error.
    package static func parse(_ text: String, from source: String) throws(ClientFailure) -> String {
        let token = text.drop(while: \.isWhitespace)
        let end = token.lastIndex { !$0.isWhitespace }.map { token.index(after: $0) } ?? token.startIndex
        let trimmed = String(token[..<end])
        if trimmed.isEmpty { throw ClientFailure(.usage, "the token from \(source) is empty") }
        // The bytes of a Bearer credential (RFC 6750, section 2.1), which also fit a word of a netrc.
        guard trimmed.utf8.count <= byteCountMax, trimmed.utf8.allSatisfy(isTokenByte) else {
            throw ClientFailure(
                .usage, "the token from \(source) is not one: it has bytes that no token has, or more than \(byteCountMax)",
                advice: "A token begins with eyJ and has no spaces; make one with atticadm make-token.")
        }
        return trimmed
    }

    /// The token that a file holds.
    package static func load(_ path: String) throws(ClientFailure) -> String {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try File.readAll(path, byteCountMax: 64 << 10) } catch {
            throw ClientFailure(.failed, "\(error)", advice: "Its token-file is named in the configuration, or by --token-file.")
        }
        return try parse(String(decoding: bytes, as: UTF8.self), from: path)
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "+"), UInt8(ascii: "/"),
            UInt8(ascii: "="):
            true
        default: false
        }
    }
}

extension ClientConfiguration.Server {
    /// The token, read from its file where it is in one; nil where the server has none.
    package func loadToken() throws(ClientFailure) -> String? {
        if let tokenFile { return try TokenText.load(tokenFile) }
        guard let token else { return nil }
        return try TokenText.parse(token, from: "the configuration")
    }
}
