import AtticAPI
import Nix
import NixStore
import Platform

/// What goes to a cache beside store paths: the logs of their builds, and the realisations of those that are content-addressed.
/// It is sent where the server says that it takes it, after the paths. What cannot be sent is told, and fails no push.
struct DocumentPush {
    private enum Document: Sendable {
        case buildLog(of: StorePath, BuildLogFile)
        case realisation(Realisation)
    }

    /// What came of it.
    struct Outcome: Hashable, Sendable {
        var buildLogCount = 0
        var realisationCount = 0
        var unsentBuildLogCount = 0
        var unsentRealisationCount = 0
        /// Why the first of them was not sent.
        var reason: String?

        /// What to tell the person; nil where all went well, since the lines of a push are about paths.
        var warning: String? {
            guard let reason else { return nil }
            func part(_ unsent: Int, _ sent: Int, _ word: String) -> String? {
                unsent == 0 ? nil : "\(unsent) of \(unsent + sent) \(word)\(unsent + sent == 1 ? "" : "s")"
            }
            let parts = [part(unsentBuildLogCount, buildLogCount, "build log"), part(unsentRealisationCount, realisationCount, "realisation")]
            return "⚠️ \(parts.compactMap { $0 }.joined(separator: " and ")) could not be sent: \(reason)"
        }
    }

    private struct State {
        var next = 0
        var outcome = Outcome()
        /// The server cannot be reached, or lets nobody in: the rest would end the same way.
        var isOver = false
    }

    private let client: APIClient
    private let store: any StoreReader
    private let config: CacheConfig
    private let jobs: Int

    init(_ client: APIClient, _ store: any StoreReader, _ config: CacheConfig, jobs: Int) {
        self.client = client
        self.store = store
        self.config = config
        self.jobs = jobs
    }

    /// Sends what belongs to paths that are in the cache.
    ///
    /// - Parameters:
    ///   - built: paths whose build logs go, where the store has them and they are not empty.
    ///   - paths: those whose realisations go, with what they depend on.
    func send(logsOf built: [PathInfo], realisationsOf paths: [StorePath]) -> Outcome {
        var documents: [Document] = []
        var outcome = Outcome()
        if config.buildLogs != nil {
            // Outputs of one derivation have one log.
            var seen: Set<StorePath> = []
            for derivation in built.compactMap(\.deriver) where seen.insert(derivation).inserted {
                guard let file = BuildLogFile(of: derivation, in: store.logDirectory) else { continue }
                documents.append(.buildLog(of: derivation, file))
            }
        }
        if config.realisations != nil {
            do throws(NixStoreError) {
                documents += try store.realisations(of: paths).map { .realisation($0) }
            } catch {
                outcome.unsentRealisationCount = 1
                outcome.reason = "\(error)"
            }
        }
        return documents.isEmpty ? outcome : send(documents, outcome)
    }

    private func send(_ documents: [Document], _ outcome: Outcome) -> Outcome {
        let state = Monitor(State(outcome: outcome))
        let threads = (0..<min(jobs, documents.count)).map { slot in
            ThreadHandle(named: "document-\(slot)") {
                while let document = state.update({ Self.take(documents, &$0) }) { send(document, state) }
            }
        }
        for thread in threads { thread.join() }
        return state.withLock { state in
            for document in documents[state.next...] { Self.note(document, isSent: false, &state.outcome) }
            return state.outcome
        }
    }

    private static func take(_ documents: [Document], _ state: inout State) -> Document? {
        guard !state.isOver, state.next < documents.count else { return nil }
        defer { state.next += 1 }
        return documents[state.next]
    }

    private func send(_ document: Document, _ state: Monitor<State>) {
        do {
            let isSent = try send(document)
            if isSent { state.withLock { Self.note(document, isSent: true, &$0.outcome) } }
        } catch {
            state.withLock { state in
                Self.note(document, isSent: false, &state.outcome)
                state.outcome.reason = state.outcome.reason ?? (error as? ClientFailure)?.message ?? "\(error)"
                let kind = (error as? ClientFailure)?.kind
                if kind == .unreachable || kind == .notPermitted { state.isOver = true }
            }
        }
    }

    /// Sends one; false where there is nothing to send.
    private func send(_ document: Document) throws -> Bool {
        switch document {
        case .buildLog(let derivation, let file):
            let log = try BuildLogBody(file, byteCountMax: config.buildLogs?.bytesMax ?? 0)
            // A build that printed nothing: most of those that only write a file.
            if log.byteCount == 0 { return false }
            try client.put(
                "log/\(derivation)", log.bytes, headers: [("Content-Type", "text/plain; charset=utf-8"), ("Content-Encoding", "zstd")])
        case .realisation(let realisation):
            try client.put(realisation.id.filePath, realisation.json(), headers: [("Content-Type", Endpoint.jsonType)])
        }
        return true
    }

    private static func note(_ document: Document, isSent: Bool, _ outcome: inout Outcome) {
        switch (document, isSent) {
        case (.buildLog, true): outcome.buildLogCount += 1
        case (.buildLog, false): outcome.unsentBuildLogCount += 1
        case (.realisation, true): outcome.realisationCount += 1
        case (.realisation, false): outcome.unsentRealisationCount += 1
        }
    }
}
