import ArgumentParser
import AtticClient

/// The client of a Nix binary cache: what each subcommand is told; what it does is in AtticClient.
struct Tetryx: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tetryx",
        abstract: "Push Nix store paths to a binary cache, and pull from it.",
        discussion: """
            A cache is named as CACHE (on the default server), SERVER:CACHE, or https://HOST/PATH/CACHE.
            Exit codes: 0 done, 1 failed, 2 usage, 3 not permitted, 4 server unreachable, 5 partly done.
            """,
        version: "tetryx \(ClientVersion.current)",
        subcommands: [Login.self, Use.self, Push.self, Watch.self, Cache.self])
}
