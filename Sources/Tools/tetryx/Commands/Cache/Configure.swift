import ArgumentParser
import AtticAPI
import AtticClient

extension Cache {
    struct Configure: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change a cache.", discussion: "Only what is named changes.")

        @OptionGroup var cache: CacheArgument

        @Flag(name: .customLong("public"), help: "Let everyone pull from it, without a token.")
        var isPublic = false

        @Flag(name: .customLong("private"), help: "Let only those pull from it whose token allows it.")
        var isPrivate = false

        @Option(name: .customLong("store-dir"), help: ArgumentHelp("The directory of the Nix store that it is for.", valueName: "path"))
        var storeDirectory: String?

        @Option(parsing: .unconditional, help: ArgumentHelp("Nix asks caches with smaller numbers first.", valueName: "number"))
        var priority: Int64?

        @Option(
            name: .customLong("upstream-cache-key-name"), parsing: .singleValue,
            help: ArgumentHelp(
                "The name of a key whose paths are not pushed; \"\" for none. May be given several times, and replaces the list.",
                valueName: "name"))
        var upstreamKeyNames: [String] = []

        @Option(help: ArgumentHelp(
            "How long objects stay that nobody asks for, as \"3 months\"; \"0\" keeps them without end.", valueName: "period"))
        var retentionPeriod: String?

        @Flag(help: "Let the server's configuration say how long objects stay.")
        var resetRetentionPeriod = false

        @Flag(help: "Make a new key pair. Clients that trust the old key no longer trust the cache.")
        var regenerateKeypair = false

        func validate() throws {
            if isPublic && isPrivate { throw ValidationError("Say --public or --private, not both.") }
            if retentionPeriod != nil && resetRetentionPeriod {
                throw ValidationError("Say --retention-period or --reset-retention-period, not both.")
            }
            try Cache.check(priority: priority)
            try Cache.check(storeDirectory: storeDirectory)
            if try changes().changesNothing { throw ValidationError("Nothing to change: name at least one option.") }
        }

        func run() throws { try ConfigureCache(cache.reference, changes()).run(.ofProcess()) }

        private func changes() throws -> CacheConfig {
            CacheConfig(
                keypair: regenerateKeypair ? .generate : nil,
                isPublic: isPublic ? true : isPrivate ? false : nil,
                storeDirectory: storeDirectory,
                priority: priority,
                upstreamCacheKeyNames: upstreamKeyNames.isEmpty ? nil : Cache.keyNames(upstreamKeyNames),
                retentionPeriod: try retention())
        }

        private func retention() throws -> RetentionConfig? {
            if resetRetentionPeriod { return .global }
            guard let retentionPeriod else { return nil }
            do throws(DurationError) {
                let seconds = try DurationWords.parse(retentionPeriod)
                if seconds <= RetentionConfig.secondsMax { return .period(seconds: seconds) }
            } catch { throw ValidationError("--retention-period: \(error)") }
            throw ValidationError(
                "--retention-period: \"\(retentionPeriod)\" is too long; the longest is \(DurationWords.words(RetentionConfig.secondsMax)). \"0\" keeps objects without end.")
        }
    }
}
