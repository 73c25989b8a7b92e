import Platform

/// The user's nix.conf and the netrc that it names: read, edited, and written back where something changed.
package struct NixFiles: Sendable {
    /// What a cache asks of them.
    package struct Cache: Hashable, Sendable {
        /// Where Nix pulls from.
        package let substituter: String
        /// `name:base64`; nil where the server did not say.
        package let publicKey: String?
        /// Nil where the cache needs none.
        package let credentials: Credentials?

        package init(substituter: String, publicKey: String?, credentials: Credentials?) {
            self.substituter = substituter
            self.publicKey = publicKey
            self.credentials = credentials
        }
    }

    /// What Nix shows to a host.
    package struct Credentials: Hashable, Sendable, CustomStringConvertible {
        /// Without port.
        package let host: String
        package let token: String
        /// Whether it is the host that the user named, and not another that this one sends its clients to.
        package let isForItsServer: Bool

        package init(host: String, token: String, isForItsServer: Bool = true) {
            self.host = host
            self.token = token
            self.isForItsServer = isForItsServer
        }

        /// Without the token.
        package var description: String { "a token for \(host)" }
    }

    /// What was done that a person should know of.
    package struct Outcome: Hashable, Sendable {
        package var keyChange: ConfigText.KeyChange?
        /// Where the token is; nil where there is none.
        package var netrc: String?
        /// The bits of a netrc of the user's own that others can read; nil where it is private.
        package var looseNetrcPermissions: UInt32?
    }

    /// `$XDG_CONFIG_HOME/nix`
    package let directory: String

    package init(directory: String) { self.directory = directory }

    private var confPath: String { "\(directory)/nix.conf" }
    private var netrcPath: String { "\(directory)/netrc" }

    /// Makes Nix use the cache. A second call changes no byte.
    ///
    /// The netrc is written first: a nix.conf must not name a file that is not there.
    ///
    /// - Throws: `ClientFailure`, naming the file and what to do; nix.conf is then as it was.
    package func use(_ cache: Cache) throws(ClientFailure) -> Outcome {
        var outcome = Outcome()
        let conf = try Self.load(confPath)
        var text = ConfigText(conf.bytes)
        text.addSubstituter(cache.substituter)
        outcome.keyChange = cache.publicKey.map { text.trust($0) }
        if let credentials = cache.credentials {
            let named = try existingNetrc(text)
            let path = named ?? netrcPath
            outcome.netrc = path
            outcome.looseNetrcPermissions = try setToken(credentials, in: path)
            if named == nil { text.append("netrc-file", path) }
        }
        try Self.store(text.bytes, in: confPath, instead: conf, permissions: conf.permissions ?? 0o644)
        return outcome
    }

    /// The netrc-file of nix.conf, or of a file that it includes.
    private func existingNetrc(_ text: ConfigText) throws(ClientFailure) -> String? {
        guard let path = text.value(of: "netrc-file", includedFrom: directory) else { return nil }
        guard path.hasPrefix("/") else {
            throw ClientFailure(
                .failed, "nix.conf names the netrc-file \"\(path)\", which is not an absolute path",
                advice: "Write its whole path in \(confPath), or remove the line, and run the command again.")
        }
        return path
    }

    /// - Returns: the permissions, where the file is not ours and others can read it.
    private func setToken(_ credentials: Credentials, in path: String) throws(ClientFailure) -> UInt32? {
        let (host, token) = (credentials.host, credentials.token)
        let isOurs = path == netrcPath
        let old = try Self.load(path)
        var text = NetrcText(old.bytes)
        if !credentials.isForItsServer, let known = text.password(of: host), known != token {
            // A server can send its clients anywhere, and must not thereby take what they have for others.
            throw ClientFailure(
                .failed, "the server says that the cache is at \(host), for which \(path) has another password",
                advice: "Where the token is for \(host) as well, remove that entry, and run the command again.")
        }
        guard NetrcText.isPlainWord(host), text.set(token, for: host) else {
            throw ClientFailure(
                .failed, "cannot put the token into \(path): the file breaks off within an entry",
                advice: "Mend the file, and run the command again.")
        }
        let permissions = isOurs ? 0o600 : old.permissions ?? 0o600
        try Self.store(text.bytes, in: path, instead: old, permissions: permissions)
        return permissions & 0o077 == 0 ? nil : permissions
    }

    // MARK: Files

    private struct Loaded {
        let bytes: [UInt8]
        /// Nil where there is no such file.
        let permissions: UInt32?
    }

    private static func load(_ path: String) throws(ClientFailure) -> Loaded {
        do throws(SystemError) {
            let status = try File.status(path)
            return Loaded(bytes: try File.readAll(path, byteCountMax: 4 << 20), permissions: status.permissions)
        } catch {
            if error.errno == .noSuchFile { return Loaded(bytes: [], permissions: nil) }
            throw ClientFailure(error)
        }
    }

    private static func store(
        _ bytes: [UInt8], in path: String, instead old: Loaded, permissions: UInt32
    ) throws(ClientFailure) {
        if old.permissions == permissions, old.bytes == bytes { return }
        do throws(SystemError) {
            var place = path
            if old.permissions == nil {
                try Directory.make(File.parent(of: path), permissions: 0o700)
            } else {
                // A link stays a link: what it points to is replaced.
                place = try File.resolve(path)
            }
            if place.hasPrefix("/nix/store/") {
                throw SystemError("write", "\(path), a link into the Nix store", .readOnlyFileSystem)
            }
            try File.replace(place, with: bytes, permissions: permissions)
        } catch {
            let isManaged = error.errno == .readOnlyFileSystem || error.errno == .accessDenied
            throw ClientFailure(
                .failed, error.description,
                advice: isManaged ? "Something else manages this file: make the change there, with what \"cache info\" shows." : nil)
        }
    }
}
