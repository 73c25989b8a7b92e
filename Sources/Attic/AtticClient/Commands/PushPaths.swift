import AtticAPI
import Nix
import NixStore
import Platform

/// `tetryx push`: sends paths, and all that they need, to a cache.
package struct PushPaths {
    private let reference: String
    private let paths: [String]
    private let readsStandardInput: Bool
    private let options: PushOptions

    package init(_ reference: String, paths: [String], readsStandardInput: Bool, options: PushOptions) {
        self.reference = reference
        self.paths = paths
        self.readsStandardInput = readsStandardInput
        self.options = options
    }

    package func run(_ context: ClientContext) throws(ClientFailure) {
        let client = try context.client(for: reference, connectionsMax: options.jobs + 1)
        let named = try paths + (readsStandardInput ? Self.pathsOfStandardInput() : [])
        if named.isEmpty { return context.console.say("🤷 Nothing selected.") }
        let push = try ClosurePush(client, options, context)
        let roots = try roots(named, in: push.store)
        let plan = try push.plan(roots)
        let rest = "\(plan.cachedCount) already cached, \(plan.upstreamCount) in upstream"
        if plan.paths.isEmpty {
            _ = push.send(plan, for: roots)
            return context.console.say("✅ All done! (\(rest))")
        }
        context.console.say("⚙️ Pushing \(plan.paths.count) paths to \(client.target.quoted) (\(rest))...")
        let outcome = push.send(plan, for: roots)
        if outcome.notPushedCount == 0 { return }
        throw ClientFailure(
            outcome.pushedCount == 0 ? outcome.kind ?? .failed : .partly,
            "\(outcome.notPushedCount) of \(plan.paths.count) paths were not pushed to \(client.target.quoted)",
            advice: outcome.advice)
    }

    /// The paths that were named, each once.
    private func roots(_ named: [String], in store: any StoreReader) throws(ClientFailure) -> [StorePath] {
        do throws(NixStoreError) {
            var roots: [StorePath] = []
            var seen: Set<StorePath> = []
            for path in named {
                let root = try LocalStore.resolve(
                    path, storeDirectory: store.storeDirectory, physicalStoreDirectory: store.physicalStoreDirectory)
                if seen.insert(root).inserted { roots.append(root) }
            }
            return roots
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
