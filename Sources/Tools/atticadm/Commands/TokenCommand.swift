import ArgumentParser
import AtticServer
import Platform

/// `atticadm token`: tokens that are refused before they expire.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Revokes tokens, and shows which are.",
        discussion: """
            WHAT is a token, the jti of one (make-token --dump-claims and any JWT viewer show it), or a sub: then all tokens \
            that it was given until now. Its form tells which, unless --id or --sub does: the jti of a token that another tool \
            made may look like a sub. A running server refuses them within 5 seconds.
            """,
        subcommands: [RevokeTokenCommand.self, RestoreTokenCommand.self, ListRevokedCommand.self])
}

struct RevokeTokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Refuses a token, or all that a subject was given until now.")

    @OptionGroup var options: ConfigurationOptions

    @Argument(help: "A token, a jti, or a sub.")
    var what: String

    @OptionGroup var meaning: MeaningOptions

    func run() throws {
        // It may be a token, and others can read a process's arguments.
        ProcessArguments.hide(what)
        try revokedTokens(options) { Terminal.say(try $0.revoke(what, as: meaning.meaning)) }
    }
}

struct RestoreTokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore", abstract: "Takes a revocation back.")

    @OptionGroup var options: ConfigurationOptions

    @Argument(help: "As it was revoked.")
    var what: String

    @OptionGroup var meaning: MeaningOptions

    func run() throws {
        ProcessArguments.hide(what)
        try revokedTokens(options) { Terminal.say(try $0.restore(what, as: meaning.meaning)) }
    }
}

struct ListRevokedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Prints what is revoked, the oldest first.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print a JSON array.")
    var json = false

    func run() throws { try revokedTokens(options) { Terminal.put(try $0.list(asJSON: json), on: Terminal.standardOutput) } }
}

/// What WHAT is, where its form does not tell.
struct MeaningOptions: ParsableArguments {
    @Flag(name: .customLong("id"), help: "WHAT is a jti.")
    var isID = false

    @Flag(name: .customLong("sub"), help: "WHAT is a sub.")
    var isSubject = false

    func validate() throws {
        if isID && isSubject { throw ValidationError("Say --id or --sub, not both.") }
    }

    var meaning: RevokedTokens.Meaning? { isID ? .id : isSubject ? .subject : nil }
}

/// Runs `body` with the revocations of the configured database; what it throws becomes the tool's one line.
private func revokedTokens(_ options: ConfigurationOptions, _ body: (RevokedTokens) throws -> Void) throws {
    do {
        let configuration = try Configuration.load(path: options.file, environment: Environment.all)
        try body(try RevokedTokens(configuration, log: OperatorLog.make("atticadm")))
    } catch { throw Failure(sentence: "\(error)") }
}
