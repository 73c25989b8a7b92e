import ArgumentParser
import AtticClient

struct Push: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send store paths, and all that they need, to a cache.",
        discussion: "What the cache has is not sent again, nor what one of its upstream caches has signed.")

    @OptionGroup var cache: CacheArgument

    @Argument(help: "Store paths, or links to them, as result.")
    var paths: [String] = []

    @Flag(help: "Read more paths from standard input, one a line.")
    var stdin = false

    @OptionGroup var push: PushArguments

    func validate() throws {
        if paths.isEmpty && !stdin { throw ValidationError("Name the paths to push, or say --stdin.") }
    }

    func run() throws {
        try PushPaths(cache.reference, paths: paths, readsStandardInput: stdin, options: push.options).run(.ofProcess())
    }
}
