import ArgumentParser
import AtticClient

struct Use: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make Nix pull from a cache.",
        discussion: """
            Adds the cache and its key to nix.conf in the user's configuration directory, and the token to the netrc \
            file that it names. Every other line stays as it is.
            """)

    @OptionGroup var cache: CacheArgument

    func run() throws { try UseCache(cache.reference).run(.ofProcess()) }
}
