import ArgumentParser
import AtticAPI
import AtticClient

extension Cache {
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Create a cache.")

        @OptionGroup var cache: CacheArgument

        @Flag(name: .customLong("public"), help: "Let everyone pull from it, without a token.")
        var isPublic = false

        @Option(name: .customLong("store-dir"), help: ArgumentHelp("The directory of the Nix store that it is for.", valueName: "path"))
        var storeDirectory = CreateCache.defaultStoreDirectory

        @Option(parsing: .unconditional, help: ArgumentHelp("Nix asks caches with smaller numbers first; cache.nixos.org has 40.", valueName: "number"))
        var priority = CreateCache.defaultPriority

        @Option(
            name: .customLong("upstream-cache-key-name"), parsing: .singleValue,
            help: ArgumentHelp(
                "The name of a key whose paths are not pushed; \"\" for none. May be given several times. (default: \(CreateCache.defaultUpstreamKeyNames.joined(separator: ", ")))",
                valueName: "name"))
        var upstreamKeyNames: [String] = []

        func validate() throws {
            try Cache.check(priority: priority)
            try Cache.check(storeDirectory: storeDirectory)
        }

        func run() throws {
            let names = upstreamKeyNames.isEmpty ? CreateCache.defaultUpstreamKeyNames : Cache.keyNames(upstreamKeyNames)
            let request = CreateCacheRequest(
                keypair: .generate, isPublic: isPublic, storeDirectory: storeDirectory, priority: priority,
                upstreamCacheKeyNames: names)
            try CreateCache(cache.reference, request).run(.ofProcess())
        }
    }
}
