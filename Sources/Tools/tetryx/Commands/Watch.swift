import ArgumentParser
import AtticClient

struct Watch: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch-store",
        abstract: "Send every path that comes into the store to a cache, until stopped.",
        discussion: "What is built or fetched while it runs is sent when it is valid; derivations and sources are not.")

    @OptionGroup var cache: CacheArgument
    @OptionGroup var push: PushArguments

    func run() throws {
        try WatchStore(cache.reference, options: push.options).run(.ofProcess())
    }
}
