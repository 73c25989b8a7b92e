import AtticAPI
import HTTPClient
import Platform

/// `tetryx login`: writes a server into the configuration.
package struct LoginToServer {
    /// Where the token is to come from.
    package enum TokenSource: Hashable, Sendable {
        /// None was named: a server that is known keeps its own.
        case unchanged
        case argument(String)
        case standardInput
        /// It stays in that file, and is read at each use.
        case file(String)
    }

    private let name: String
    private let endpoint: String
    private let tokenSource: TokenSource
    private let setsDefault: Bool

    package init(name: String, endpoint: String, tokenSource: TokenSource, setsDefault: Bool) {
        self.name = name
        self.endpoint = endpoint
        self.tokenSource = tokenSource
        self.setsDefault = setsDefault
    }

    /// Nothing is asked of the server: it may be down, and it is no less meant.
    package func run(_ context: ClientContext) throws(ClientFailure) {
        guard let name = ServerName(name) else {
            throw ClientFailure(.usage, "\"\(name)\" is not a server's name: \(ServerName.allowed)")
        }
        let url: HTTPURL
        do throws(ClientError) { url = try HTTPURL(endpoint) } catch { throw ClientFailure(.usage, "\(error)") }
        let file = ConfigurationFile(context.directories)
        var (configuration, text) = try file.load()
        let known = configuration.servers[name]
        let given = try loadToken()
        var server = ClientConfiguration.Server(endpoint: endpoint, token: given.token, tokenFile: given.file)
        var isForgotten = false
        if case .unchanged = tokenSource, let known, known.token != nil || known.tokenFile != nil {
            // A token is for the server that gave it: another one must not get to see it.
            if let before = try? HTTPURL(known.endpoint), url.maySeeCredentials(for: before) {
                (server.token, server.tokenFile) = (known.token, known.tokenFile)
            } else {
                isForgotten = true
            }
        }
        configuration.servers[name] = server
        if setsDefault || configuration.servers.count == 1 { configuration.defaultServer = name }
        context.console.say(known == nil ? "✍️ Configuring server \"\(name)\"" : "✍️ Overwriting server \"\(name)\"")
        try file.store(configuration.edited(text, changing: name))
        if isForgotten {
            context.console.say(
                "⚠️ The token was for another endpoint and is not kept. "
                    + "Log in again with one for \(endpoint), if it needs one.")
        }
        if let token = given.token { warn(of: token, context) }
        // Proxies and authorities that cannot be used are found without asking anybody.
        let network = ClientNetwork(environment: context.environment)
        if case .failure(let error) = Result(catching: { () throws(ClientError) in try HTTPSession(endpoint: url, network: network) }) {
            context.console.say("⚠️ \(error)")
        }
    }

    /// What can be seen without its key, now that its user looks on. It is kept all the same: the server decides.
    private func warn(of token: String, _ context: ClientContext) {
        guard let glance = TokenGlance(token) else {
            return context.console.say("⚠️ This does not look like a token: one begins with eyJ and has two dots in it. Was it copied whole?")
        }
        if let expiry = glance.expirySeconds, expiry <= WallTime.now.seconds {
            context.console.say("⚠️ The token expired on \(TokenGlance.date(expiry)). Ask for a new one.")
        }
    }

    private func loadToken() throws(ClientFailure) -> (token: String?, file: String?) {
        switch tokenSource {
        case .unchanged: return (nil, nil)
        case .argument(let text): return (try TokenText.parse(text, from: "the command line"), nil)
        case .standardInput:
            let bytes: [UInt8]
            do throws(SystemError) {
                bytes = try Terminal.readAll(Terminal.standardInput, named: "standard input", byteCountMax: 64 << 10)
            } catch { throw ClientFailure(error) }
            return (try TokenText.parse(String(decoding: bytes, as: UTF8.self), from: "standard input"), nil)
        case .file(let path):
            // Now is when its user looks on: a file that is missing or empty is better said at once.
            _ = try TokenText.load(path)
            do throws(SystemError) { return (nil, try File.resolve(path)) } catch { throw ClientFailure(error) }
        }
    }
}
