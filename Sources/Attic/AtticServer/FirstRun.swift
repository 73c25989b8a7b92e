import AtticAPI
import Crypto
import Encoding
import Platform

/// The set-up of a machine without any configuration: a configuration file with a fresh secret, the directories for
/// database and storage, and the root token, shown once.
package struct FirstRun: Sendable {
    package let configurationPath: String
    package let rootToken: String

    /// Writes the configuration and makes the directories.
    ///
    /// - Parameters:
    ///   - locations: where configuration and data go (from the XDG variables).
    ///   - now: from here the root token counts its ten years.
    /// - Throws: `SystemError` that names the path; what was made until then is left for the next try.
    package static func setUp(_ locations: Locations, now: WallTime) throws(SystemError) -> FirstRun {
        let secret = SecureRandom.bytes(64)
        try Directory.make(File.parent(of: locations.configurationPath), permissions: 0o700)
        try Directory.make(locations.dataDirectory, permissions: 0o700)
        let text = Configuration.firstRunText(
            databasePath: locations.dataDirectory + "/server.db", storagePath: locations.dataDirectory + "/storage",
            secretBase64: Base64.encode(secret))
        try File.replace(locations.configurationPath, with: Array(text.utf8), permissions: 0o600)
        return FirstRun(configurationPath: locations.configurationPath, rootToken: rootToken(secret, now))
    }

    /// A token that may do everything with every cache, for ten years.
    private static func rootToken(_ secret: [UInt8], _ now: WallTime) -> String {
        guard let everything = CacheNamePattern("*") else { preconditionFailure("* is a cache pattern") }
        let tenYearsSeconds: Int64 = 10 * 31_557_600
        return Token(
            subject: "root", expirySeconds: now.seconds + tenYearsSeconds, issuedAtSeconds: now.seconds, id: Token.newID(),
            caches: [(everything, Permissions.all)]
        ).signed(with: .hs256(secret: secret))
    }

    /// The welcome, as the tutorial shows it.
    ///
    /// - Parameter port: where the server will listen.
    package func welcome(port: Int) -> String {
        """
        -----------------
        Welcome to Tetryx!

        A simple setup using SQLite and local storage has been configured for you in:

            \(configurationPath)

        Run the following command to log into this server:

            tetryx login local http://localhost:\(port) \(rootToken)

        Documentations and guides:

            https://docs.tetryx.rs

        Enjoy!
        -----------------

        """
    }
}
