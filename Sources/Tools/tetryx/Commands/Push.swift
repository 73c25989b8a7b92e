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

    @Option(name: .shortAndLong, parsing: .unconditional, help: ArgumentHelp("Uploads at once, 1 to \(PushPaths.jobsMax).", valueName: "count"))
    var jobs = PushPaths.Options().jobs

    @Flag(help: "Send the named paths alone, without what they need.")
    var noClosure = false

    @Flag(help: "Send also what an upstream cache has signed.")
    var ignoreUpstreamCacheFilter = false

    @Flag(help: "Send what is known of a path before its NAR, never in a header.")
    var forcePreamble = false

    @Option(help: ArgumentHelp(
        "The store that the paths are in, as Nix names it: auto, daemon, or the directory of a chroot store.", valueName: "store"))
    var store: String?

    func validate() throws {
        if paths.isEmpty && !stdin { throw ValidationError("Name the paths to push, or say --stdin.") }
        guard (1...PushPaths.jobsMax).contains(jobs) else {
            throw ValidationError("--jobs is a number from 1 to \(PushPaths.jobsMax).")
        }
    }

    func run() throws {
        var options = PushPaths.Options()
        options.jobs = jobs
        options.includesClosure = !noClosure
        options.skipsUpstream = !ignoreUpstreamCacheFilter
        options.forcesPreamble = forcePreamble
        options.store = store
        try PushPaths(cache.reference, paths: paths, readsStandardInput: stdin, options: options).run(.ofProcess())
    }
}
