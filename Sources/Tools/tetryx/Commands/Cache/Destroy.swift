import ArgumentParser
import AtticClient

extension Cache {
    struct Destroy: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Destroy a cache.", discussion: """
                Asks for the name of the cache to be typed; where the input is no terminal, its first line is the name.
                """)

        @OptionGroup var cache: CacheArgument

        @Flag(help: "Do not ask.")
        var noConfirm = false

        func run() throws { try DestroyCache(cache.reference, asksFirst: !noConfirm).run(.ofProcess()) }
    }
}
