import ArgumentParser
import AtticClient
import Platform

struct Login: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Add a server, or change one.",
        discussion: """
            The first server becomes the default one. The token is kept in the configuration file, which only its \
            owner can read; on the command line others may see it, so "-" reads it from standard input, and \
            --token-file leaves it in its file.
            """)

    @Argument(help: "What to call the server.")
    var name: String

    @Argument(help: "Its URL: https://HOST or http://HOST:8080.")
    var endpoint: String

    @Argument(help: "The access token; \"-\" reads it from standard input. Without one, a known server keeps its own.")
    var token: String?

    @Option(help: ArgumentHelp("A file that holds the token; it is read at each use.", valueName: "file"))
    var tokenFile: String?

    @Flag(help: "Make it the server that is meant where none is named.")
    var setDefault = false

    func validate() throws {
        if token != nil && tokenFile != nil { throw ValidationError("Give the token or --token-file, not both.") }
    }

    func run() throws {
        if let token { ProcessArguments.hide(token) }
        let source: LoginToServer.TokenSource = switch (token, tokenFile) {
        case ("-", _), (nil, "-"): .standardInput
        case (let token?, _): .argument(token)
        case (nil, let path?): .file(path)
        case (nil, nil): .unchanged
        }
        try LoginToServer(name: name, endpoint: endpoint, tokenSource: source, setsDefault: setDefault).run(.ofProcess())
    }
}
