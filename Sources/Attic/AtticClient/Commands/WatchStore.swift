import AtticAPI
import Nix
import NixStore
import Platform

/// `tetryx watch-store`: pushes what comes into the store, until it is stopped.
///
/// Nix locks a path that it makes with a file `HASH-NAME.lock` beside it, and removes that when the path is valid
/// (nix/src/libstore/pathlocks.cc): that is what is watched for.
package struct WatchStore {
    private let reference: String
    private let options: PushOptions

    /// How long nothing new must come until what came is pushed: builds often end in a row.
    private static let quiet = Duration.milliseconds(250)
    /// How long the first of them waits at most.
    private static let waitMax = Duration.seconds(2)
    /// How long after a push that failed it is tried again, doubled each time up to the second.
    private static let retryAfter = (first: Duration.seconds(2), most: Duration.seconds(60))

    package init(_ reference: String, options: PushOptions) {
        self.reference = reference
        self.options = options
    }

    /// Ends with an error only: the server refuses, or the store is gone. While nobody answers it tries again.
    package func run(_ context: ClientContext) throws(ClientFailure) {
        let client = try context.client(for: reference, connectionsMax: options.jobs + 1, waits: false)
        let push = try ClosurePush(client, options, context)
        let watch: DirectoryWatch
        do throws(SystemError) { watch = try DirectoryWatch(push.store.physicalStoreDirectory) } catch { throw ClientFailure(error) }
        context.console.say("👀 Pushing new store paths to \(client.target.quoted)")
        try follow(watch, push, context.console)
    }

    private func follow(_ watch: DirectoryWatch, _ push: ClosurePush, _ console: Console) throws(ClientFailure) {
        var new: [StorePath] = []
        var delay = Self.retryAfter.first
        while true {
            try gather(watch, into: &new, push.store, console)
            do throws(ClientFailure) {
                try send(new, push, console)
                new = []
                delay = Self.retryAfter.first
            } catch {
                guard error.kind == .unreachable || error.kind == .failed || error.kind == .partly else { throw error }
                console.say("⚠️ \(error.message); trying again in \(delay.components.seconds) seconds")
                try gather(watch, into: &new, push.store, console, atMost: delay)
                delay = min(delay * 2, Self.retryAfter.most)
            }
        }
    }

    /// Waits until something came and then nothing for a while, or for `limit` where that is given.
    private func gather(
        _ watch: DirectoryWatch, into new: inout [StorePath], _ store: any StoreReader, _ console: Console, atMost limit: Duration? = nil
    ) throws(ClientFailure) {
        // What could not be sent waits no longer than what is new.
        var deadline = limit.map { .now + $0 } ?? (new.isEmpty ? nil : MonotonicTime.now + Self.waitMax)
        var seen = Set(new)
        while true {
            let left = deadline.map { max($0 - .now, .zero) }
            if let left, left == .zero { return }
            let removals: DirectoryWatch.Removals
            do throws(SystemError) {
                removals = try watch.next(atMost: limit == nil && !new.isEmpty ? min(left ?? Self.quiet, Self.quiet) : left)
            } catch { throw ClientFailure(error) }
            if removals.isOver {
                throw ClientFailure(.failed, "the store \(store.physicalStoreDirectory) is gone: nothing more can be watched")
            }
            if removals.areIncomplete {
                console.say("⚠️ More came into the store at once than could be followed; \"tetryx push\" sends what was missed")
            }
            let paths = removals.names.compactMap(Self.path(ofLock:)).filter { seen.insert($0).inserted }
            if limit == nil {
                if removals.names.isEmpty && !new.isEmpty { return }
                if new.isEmpty && !paths.isEmpty { deadline = .now + Self.waitMax }
            }
            new += paths
        }
    }

    /// The store path that a lock file was for. Derivations and sources of builds are left out: who needs them has them.
    static func path(ofLock name: String) -> StorePath? {
        guard name.hasSuffix(".lock") else { return nil }
        let baseName = name.dropLast(".lock".count)
        if baseName.hasSuffix(".drv") || baseName.hasSuffix("-source") { return nil }
        return try? StorePath(baseName: String(baseName))
    }

    private func send(_ new: [StorePath], _ push: ClosurePush, _ console: Console) throws(ClientFailure) {
        let valid: [StorePath]
        // What failed to build had a lock too.
        do throws(NixStoreError) { valid = try push.store.validPaths(among: new) } catch { throw ClientFailure(.failed, "\(error)") }
        if valid.isEmpty { return }
        let outcome = push.send(try push.plan(valid), for: valid)
        if outcome.notPushedCount > 0 {
            throw ClientFailure(.partly, "\(outcome.notPushedCount) paths were not pushed", advice: outcome.advice)
        }
    }
}
