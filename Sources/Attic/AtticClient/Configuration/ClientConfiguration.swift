import AtticAPI
import ConfigFile
import HTTPClient

/// The name that a user gives to a server; it has the form of a cache's name.
package typealias ServerName = CacheName

/// What the client's config.toml says: the servers and which of them is meant where none is named.
///
///     default-server = "local"
///     [servers.local]
///     endpoint = "http://localhost:8080"
///     token = "eyJ…"            # or token-file = "/path"
package struct ClientConfiguration: Hashable, Sendable {
    package struct Server: Hashable, Sendable, CustomStringConvertible {
        /// An http or https URL.
        package var endpoint: String
        package var token: String?
        /// A file whose content is the token, read at each use; never together with `token`.
        package var tokenFile: String?

        package init(endpoint: String, token: String? = nil, tokenFile: String? = nil) {
            self.endpoint = endpoint
            self.token = token
            self.tokenFile = tokenFile
        }

        /// Without the token.
        package var description: String { "the server at \(endpoint)" }
    }

    package var defaultServer: ServerName?
    package var servers: [ServerName: Server]

    package init(defaultServer: ServerName? = nil, servers: [ServerName: Server] = [:]) {
        self.defaultServer = defaultServer
        self.servers = servers
    }

    /// Reads the text of a config.toml.
    ///
    /// - Parameter name: the path, for errors.
    /// - Throws: with line and column, also for a key that nobody knows: it is neither dropped nor misread.
    package init(parsing text: String, name: String) throws(ConfigFileError) {
        self.init()
        let file = try TOMLFile.parse(text, name: name)
        if let name = try file.root.string("default-server") {
            guard let server = ServerName(name) else {
                throw file.root.error(at: "default-server", "\"\(name)\" is not a server's name: \(ServerName.allowed)")
            }
            defaultServer = server
        }
        let section = try file.root.section("servers")
        for key in section.keys {
            guard let name = ServerName(key) else {
                throw section.error(at: key, "\"\(key)\" is not a server's name: \(ServerName.allowed)")
            }
            servers[name] = try Self.server(section.section(key))
        }
        try file.finish()
    }

    private static func server(_ section: TOMLSection) throws(ConfigFileError) -> Server {
        guard let endpoint = try section.string("endpoint") else {
            throw section.error("the server has no endpoint; write endpoint = \"https://host\"")
        }
        do throws(ClientError) { _ = try HTTPURL(endpoint) } catch { throw section.error(at: "endpoint", "\(error)") }
        let server = Server(endpoint: endpoint, token: try section.string("token"), tokenFile: try section.string("token-file"))
        if server.token != nil, server.tokenFile != nil {
            throw section.error(at: "token-file", "a server has a token or a token-file, not both")
        }
        return server
    }

    /// The configuration as a new text, servers by name.
    package var rendered: String {
        var writer = TOMLWriter()
        if let defaultServer { writer.value("default-server", defaultServer.rawValue) }
        for (name, server) in servers.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            writer.table(["servers", name.rawValue])
            writer.value("endpoint", server.endpoint)
            if let token = server.token { writer.value("token", token) }
            if let tokenFile = server.tokenFile { writer.value("token-file", tokenFile) }
        }
        return writer.text
    }
}
