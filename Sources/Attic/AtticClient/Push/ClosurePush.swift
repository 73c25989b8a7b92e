import AtticAPI
import Nix
import NixStore
import Platform

/// Paths of the local store, and all that they need, on their way to one cache: finds out what it lacks, and sends that.
struct ClosurePush {
    let store: any StoreReader
    private let client: APIClient
    private let config: CacheConfig
    private let options: PushOptions
    /// Large NARs at once that are read ahead of who sends them: 12 MiB of memory and 16 threads.
    private static let readAheadsMax = 4
    private let console: Console

    /// Asks the cache for its configuration, and opens the store.
    ///
    /// - Throws: also where the cache is for a store of another directory than the one here.
    init(_ client: APIClient, _ options: PushOptions, _ context: ClientContext) throws(ClientFailure) {
        self.client = client
        self.options = options
        console = context.console
        config = try client.configuration()
        let setting = options.store ?? StoreSetting.inNixConf(context.environment, context.directories)
        do throws(NixStoreError) {
            let uri = try setting.map { text throws(NixStoreError) in try StoreURI(parsing: text) }
            store = try LocalStore.open(LocalStore.Places(environment: context.environment, uri: uri))
        } catch { throw ClientFailure(.failed, "\(error)") }
        if let directory = config.storeDirectory, directory != store.storeDirectory {
            throw ClientFailure(
                .failed, "\(client.target.quoted) is for the store \(directory), and the one here is \(store.storeDirectory)")
        }
    }

    /// What the cache lacks of these paths and, unless told otherwise, of all that they need.
    func plan(_ roots: [StorePath]) throws(ClientFailure) -> PushPlan {
        let closure: [PathInfo]
        do throws(NixStoreError) {
            closure = try options.includesClosure ? store.closure(of: roots) : store.pathInfos(of: roots)
        } catch { throw ClientFailure(.failed, "\(error)") }
        let keyNames = options.skipsUpstream ? config.upstreamCacheKeyNames ?? [] : []
        let candidates = PushPlan.withoutUpstream(closure, keyNames: keyNames)
        let missing = candidates.isEmpty ? [] : try client.missing(candidates.map(\.path.hash))
        return PushPlan(closureCount: closure.count, candidates: candidates, missing: missing)
    }

    /// Sends the paths of a plan, and then what belongs to them: build logs, and realisations. Tells the person how it goes.
    ///
    /// - Parameter roots: the paths that the plan was made for. Of those that the cache has already the realisations go as well:
    ///   another derivation may have come to the same output.
    func send(_ plan: PushPlan, for roots: [StorePath]) -> PushRun.Outcome {
        // Half of the files that may be open are left to all else.
        let readAheadsMax = min(Self.readAheadsMax, OpenFileLimit.raise() / 2 / NarDump.openFilesMax)
        let report = PushReport(console: console)
        let outcome = plan.paths.isEmpty
            ? PushRun.Outcome()
            : PushRun.run(
                plan.paths, jobs: options.jobs,
                uploader: StoreUploader(
                    client, store, forcesPreamble: options.forcesPreamble, readAheadsMax: readAheadsMax, limits: config.uploadPaths),
                observer: report)
        let pushed = report.pushedPaths
        let documents = DocumentPush(client, store, config, jobs: options.jobs).send(
            logsOf: options.sendsLogs ? pushed : [],
            realisationsOf: pushed.map(\.path) + roots.filter { plan.cached.contains($0) })
        if let warning = documents.warning { console.say(warning) }
        return outcome
    }
}
