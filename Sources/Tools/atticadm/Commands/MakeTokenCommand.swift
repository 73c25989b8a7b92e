import ArgumentParser
import AtticAPI
import AtticServer
import Platform
import Synchronization

/// `atticadm make-token`: prints a token.
struct MakeTokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "make-token",
        abstract: "Prints a token that allows what the patterns say.",
        discussion: """
            PATTERN is the name of a cache, or a name with * for any run of characters. Where several patterns match a \
            cache, the first one given decides, unless one is the cache's very name.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(name: .customLong("sub"), help: ArgumentHelp("Who is to hold the token.", valueName: "subject"))
    var subject: String

    @Option(help: ArgumentHelp("For how long it is valid, as in \"3 months\".", valueName: "duration"))
    var validity: String

    @Flag(help: "Print the claims as JSON instead of the token.")
    var dumpClaims = false

    @Option(help: ArgumentHelp("Allow to pull from these caches.", valueName: "pattern"))
    var pull: [PatternArgument] = []

    @Option(help: ArgumentHelp("Allow to push to these caches.", valueName: "pattern"))
    var push: [PatternArgument] = []

    @Option(help: ArgumentHelp("Allow to delete paths from these caches. Attic has it too; nothing asks for it yet: paths go when they were not pulled for long.", valueName: "pattern"))
    var delete: [PatternArgument] = []

    @Option(help: ArgumentHelp("Allow to create these caches.", valueName: "pattern"))
    var createCache: [PatternArgument] = []

    @Option(help: ArgumentHelp("Allow to configure these caches.", valueName: "pattern"))
    var configureCache: [PatternArgument] = []

    @Option(help: ArgumentHelp("Allow to configure how long these caches keep paths.", valueName: "pattern"))
    var configureCacheRetention: [PatternArgument] = []

    @Option(help: ArgumentHelp("Allow to destroy these caches.", valueName: "pattern"))
    var destroyCache: [PatternArgument] = []

    func validate() throws {
        do throws(MakeToken.UsageError) { _ = try request() } catch { throw ValidationError(error.description) }
    }

    func run() throws {
        do {
            let configuration = try Configuration.load(path: options.file, environment: Environment.all)
            for warning in configuration.warnings { Terminal.say("atticadm: warning: \(warning)") }
            let request = try request()
            if request.allowsNothing {
                Terminal.say("atticadm: warning: the token allows nothing; name caches with --pull, --push and the others")
            }
            let output = try request.output(for: configuration, nowSeconds: WallTime.now.seconds, dumpsClaims: dumpClaims)
            Terminal.put(output + "\n", on: Terminal.standardOutput)
        } catch { throw Failure(sentence: "\(error)") }
    }

    private func request() throws(MakeToken.UsageError) -> MakeToken {
        let given: [(Permissions, [PatternArgument])] = [
            (.pull, pull), (.push, push), (.delete, delete), (.createCache, createCache), (.configureCache, configureCache),
            (.configureCacheRetention, configureCacheRetention), (.destroyCache, destroyCache),
        ]
        let grants = given
            .flatMap { permission, patterns in patterns.map { (permission, $0) } }
            .sorted { $0.1.place < $1.1.place }
            .map { MakeToken.Grant($0, $1.text) }
        return try MakeToken(subject: subject, validity: validity, grants: grants)
    }
}

/// A pattern, and which argument of all it was: the parser gathers each option by itself, but the order of patterns
/// across the options decides in the token.
struct PatternArgument: ExpressibleByArgument {
    let text: String
    let place: Int

    /// Arguments are read from left to right, each once.
    private static let placesTaken = Atomic<Int>(0)

    init?(argument: String) {
        text = argument
        place = Self.placesTaken.add(1, ordering: .relaxed).newValue
    }
}
