import AtticAPI
import Platform

/// `tetryx cache create`
package struct CreateCache {
    package static let defaultPriority: Int64 = 41
    package static let defaultStoreDirectory = "/nix/store"
    package static let defaultUpstreamKeyNames = ["cache.nixos.org-1"]

    private let reference: String
    private let request: CreateCacheRequest

    package init(_ reference: String, _ request: CreateCacheRequest) {
        self.reference = reference
        self.request = request
    }

    package func run(_ context: ClientContext) throws(ClientFailure) {
        let client = try context.client(for: reference)
        try client.create(request)
        context.console.say("✨ Created cache \(client.target.quoted)")
    }
}

/// `tetryx cache configure`: changes what was named, and nothing else.
package struct ConfigureCache {
    private let reference: String
    private let changes: CacheConfig

    package init(_ reference: String, _ changes: CacheConfig) {
        self.reference = reference
        self.changes = changes
    }

    package func run(_ context: ClientContext) throws(ClientFailure) {
        let client = try context.client(for: reference)
        try client.configure(changes)
        context.console.say("✅ Configured \(client.target.quoted)")
        if changes.keypair != nil {
            context.console.say("⚠️ Its clients must trust the new key: tetryx use \(client.target.reference)")
        }
    }
}

/// `tetryx cache info`: a table, on standard output.
package struct ShowCache {
    private let reference: String

    package init(_ reference: String) { self.reference = reference }

    package func run(_ context: ClientContext) throws(ClientFailure) {
        let client = try context.client(for: reference)
        context.console.result(Self.table(of: try client.configuration()))
    }

    /// One line for each thing that the server said, titles to the right.
    static func table(of config: CacheConfig) -> String {
        let rows: [(title: String, value: String?)] = [
            ("Public", config.isPublic.map { "\($0)" }),
            ("Public Key", config.publicKey),
            ("Binary Cache Endpoint", config.substituterEndpoint),
            ("API Endpoint", config.apiEndpoint),
            ("Store Directory", config.storeDirectory),
            ("Priority", config.priority.map { "\($0)" }),
            ("Upstream Cache Keys", config.upstreamCacheKeyNames.map { names in
                "[\(names.map { "\"\($0)\"" }.joined(separator: ", "))]"
            }),
            ("Retention Period", config.retentionPeriod.map(words)),
        ]
        let width = rows.map(\.title.count).max() ?? 0
        return rows.compactMap { title, value in
            value.map { "\(String(repeating: " ", count: width - title.count))\(title): \($0.escapingControls())" }
        }.joined(separator: "\n")
    }

    private static func words(_ retention: RetentionConfig) -> String {
        switch retention {
        case .global: "Global Default"
        case .period(seconds: 0): "Unlimited"
        case .period(let seconds): DurationWords.words(seconds)
        }
    }
}

/// `tetryx cache destroy`
package struct DestroyCache {
    private let reference: String
    private let asksFirst: Bool

    package init(_ reference: String, asksFirst: Bool) {
        self.reference = reference
        self.asksFirst = asksFirst
    }

    package func run(_ context: ClientContext) throws(ClientFailure) {
        let client = try context.client(for: reference)
        let target = client.target
        if asksFirst {
            let answer = context.console.ask(
                "⚠️ Type the name of the cache to destroy \(target.quoted): ",
                below: "When a cache is destroyed, everyone loses access to what it holds. This cannot be undone.")
            let typed = answer.map { $0.drop(while: \.isWhitespace).prefix { !$0.isWhitespace } }
            guard let typed, typed == target.cache.rawValue else {
                throw ClientFailure(
                    .failed, answer == nil
                        ? "nothing was typed, so \(target.quoted) is as it was; in a script, say --no-confirm"
                        : "that is not its name; \(target.quoted) is as it was")
            }
        }
        try client.destroy()
        context.console.say("🗑️ Destroyed cache \(target.quoted)")
    }
}
