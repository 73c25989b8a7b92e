import ArgumentParser
import AtticAPI
import AtticClient

struct Cache: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Create, configure, look at and destroy caches.",
        subcommands: [Create.self, Configure.self, Info.self, Destroy.self])
}

extension Cache {
    /// The value of options that are a cache's priority.
    static func check(priority: Int64?) throws {
        if let priority, !CacheConfig.priorities.contains(priority) {
            throw ValidationError(
                "--priority is a number from \(CacheConfig.priorities.lowerBound) to \(CacheConfig.priorities.upperBound).")
        }
    }

    /// Where a store may be.
    static func check(storeDirectory: String?) throws {
        if let path = storeDirectory, !path.hasPrefix("/") || path.hasSuffix("/") {
            throw ValidationError("--store-dir is an absolute path without a slash at its end.")
        }
    }

    /// A list of key names; one that is empty stands for none at all.
    static func keyNames(_ names: [String]) -> [String] { names == [""] ? [] : names }
}
