import ConfigFile

extension Configuration {
    /// The text of the `server.toml` that a first run writes: the three values that have no default, and the ones most
    /// often changed as comments.
    ///
    /// - Parameters:
    ///   - databasePath: absolute path of the SQLite file.
    ///   - storagePath: absolute path of the directory for chunks.
    ///   - secretBase64: what tokens are signed with; base 64 of 64 random bytes.
    package static func firstRunText(databasePath: String, storagePath: String, secretBase64: String) -> String {
        let defaults = Configuration()
        return """
            # The configuration of this Tetryx server, made by its first run.
            #
            # All keys, with their defaults and what they are for, are in server.toml.example of the distribution.
            # After a change, restart atticd; "atticd --mode check-config" says whether this file is good.

            # Where to listen. Keep "[::]" to be reached from other machines; "127.0.0.1:8080" is for this one only.
            listen = \(TOMLWriter.quoted(defaults.listen))

            # Where clients reach this server, where that is not what they ask for (behind a proxy); ends in a slash.
            #api-endpoint = "https://cache.example.org/"

            [database]
            # What is stored where, and for whom. Back it up together with the storage.
            url = \(TOMLWriter.quoted(databaseURL(ofSQLitePath: databasePath)))

            [storage]
            # The directory that the chunks of all NARs are kept in.
            type = "local"
            path = \(TOMLWriter.quoted(storagePath))

            [compression]
            # "zstd", "xz", "brotli" or "none"; higher levels are smaller and slower.
            type = \(TOMLWriter.quoted(defaults.compressionKind.rawValue))
            #level = \(defaults.compressionLevel)

            [garbage-collection]
            # How often to look for what nobody needs any more; "0" turns that off.
            interval = "12 hours"
            # How long a cache keeps what nobody asks for, where the cache does not say it itself; "0" is forever.
            #default-retention-period = "6 months"

            [jwt.signing]
            # Whoever knows this secret can make tokens for everything: keep this file to yourself. A new secret makes all
            # tokens invalid at once.
            token-hs256-secret-base64 = \(TOMLWriter.quoted(secretBase64))

            """
    }
}
