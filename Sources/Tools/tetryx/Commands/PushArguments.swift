import ArgumentParser
import AtticClient

/// How paths are pushed, whoever names them.
struct PushArguments: ParsableArguments {
    @Option(name: .shortAndLong, parsing: .unconditional, help: ArgumentHelp("Uploads at once, 1 to \(PushOptions.jobsMax).", valueName: "count"))
    var jobs = PushOptions().jobs

    @Flag(help: "Send the named paths alone, without what they need.")
    var noClosure = false

    @Flag(help: "Send also what an upstream cache has signed.")
    var ignoreUpstreamCacheFilter = false

    @Flag(help: "Send what is known of a path before its NAR, never in a header.")
    var forcePreamble = false

    @Flag(help: "Send paths without the logs of their builds.")
    var noLogs = false

    @Option(help: ArgumentHelp(
        "The store that the paths are in, as Nix names it: auto, daemon, or the directory of a chroot store.", valueName: "store"))
    var store: String?

    func validate() throws {
        guard (1...PushOptions.jobsMax).contains(jobs) else {
            throw ValidationError("--jobs is a number from 1 to \(PushOptions.jobsMax).")
        }
    }

    var options: PushOptions {
        var options = PushOptions()
        options.jobs = jobs
        options.includesClosure = !noClosure
        options.skipsUpstream = !ignoreUpstreamCacheFilter
        options.forcesPreamble = forcePreamble
        options.sendsLogs = !noLogs
        options.store = store
        return options
    }
}
