import ArgumentParser
import AtticClient

extension Cache {
    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show what a cache is like.")

        @OptionGroup var cache: CacheArgument

        func run() throws { try ShowCache(cache.reference).run(.ofProcess()) }
    }
}
