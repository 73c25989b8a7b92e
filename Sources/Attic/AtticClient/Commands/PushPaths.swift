import AtticAPI
import Nix
import NixStore
import Platform

/// `tetryx push`: sends paths, and all that they need, to a cache.
package struct PushPaths {
    package struct Options: Hashable, Sendable {
        /// Uploads at once.
        package var jobs = 5
        /// What the paths need is sent too.
        package var includesClosure = true
        /// What an upstream cache has is left out.
        package var skipsUpstream = true
        package var forcesPreamble = false
        /// Which store the paths are in, as Nix's option of that name says it; nil for the one that Nix would use.
        package var store: String?

        package init() {}
    }

    private let reference: String
    private let paths: [String]
    private let readsStandardInput: Bool
    private let options: Options

    /// The most uploads at once: more would only wait for one another.
    package static let jobsMax = 64

    package init(_ reference: String, paths: [String], readsStandardInput: Bool, options: Options) {
        self.reference = reference
        self.paths = paths
        self.readsStandardInput = readsStandardInput
        self.options = options
    }

    package func run(_ context: ClientContext) throws(ClientFailure) {
        let client = try context.client(for: reference, connectionsMax: options.jobs + 1)
        let named = try paths + (readsStandardInput ? Self.pathsOfStandardInput() : [])
        if named.isEmpty { return context.console.say("🤷 Nothing selected.") }
        let config = try client.configuration()
        let (closure, store) = try selected(named, for: config, client.target, context)
        let keyNames = options.skipsUpstream ? config.upstreamCacheKeyNames ?? [] : []
        let candidates = PushPlan.withoutUpstream(closure, keyNames: keyNames)
        let missing = candidates.isEmpty ? [] : try client.missing(candidates.map(\.path.hash))
        let plan = PushPlan(closureCount: closure.count, candidates: candidates, missing: missing)
        let rest = "\(plan.cachedCount) already cached, \(plan.upstreamCount) in upstream"
        if plan.paths.isEmpty { return context.console.say("✅ All done! (\(rest))") }
        context.console.say("⚙️ Pushing \(plan.paths.count) paths to \(client.target.quoted) (\(rest))...")
        let outcome = PushRun.run(
            plan.paths, jobs: options.jobs,
            uploader: StoreUploader(
                client, store, forcesPreamble: options.forcesPreamble, limits: config.uploadPaths),
            observer: PushReport(console: context.console))
        if outcome.notPushedCount == 0 { return }
        throw ClientFailure(
            outcome.pushedCount == 0 ? .failed : .partly,
            "\(outcome.notPushedCount) of \(plan.paths.count) paths were not pushed to \(client.target.quoted)",
            advice: outcome.advice)
    }

    /// The paths that were named and, unless told otherwise, all that they need, dependencies first.
    private func selected(
        _ named: [String], for config: CacheConfig, _ target: ResolvedCache, _ context: ClientContext
    ) throws(ClientFailure) -> (paths: [PathInfo], store: any StoreReader) {
        let setting = options.store ?? StoreSetting.inNixConf(context.environment, context.directories)
        do throws(NixStoreError) {
            let uri = try setting.map { text throws(NixStoreError) in try StoreURI(parsing: text) }
            let store = try LocalStore.open(LocalStore.Places(environment: context.environment, uri: uri))
            if let directory = config.storeDirectory, directory != store.storeDirectory {
                throw NixStoreError.noStore(
                    reason: "\(target.quoted) is for the store \(directory), and the one here is \(store.storeDirectory)")
            }
            var roots: [StorePath] = []
            var seen: Set<StorePath> = []
            for path in named {
                let root = try LocalStore.resolve(
                    path, storeDirectory: store.storeDirectory, physicalStoreDirectory: store.physicalStoreDirectory)
                if seen.insert(root).inserted { roots.append(root) }
            }
            let closure = try options.includesClosure ? store.closure(of: roots) : store.pathInfos(of: roots)
            return (closure, store)
        } catch {
            throw ClientFailure(.failed, "\(error)")
        }
    }

    /// One path a line; empty lines are passed over.
    private static func pathsOfStandardInput() throws(ClientFailure) -> [String] {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Terminal.readAll(Terminal.standardInput, named: "standard input", byteCountMax: 256 << 20)
        } catch { throw ClientFailure(error) }
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let text = String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
            return text.allSatisfy(\.isWhitespace) ? nil : text
        }
    }
}
