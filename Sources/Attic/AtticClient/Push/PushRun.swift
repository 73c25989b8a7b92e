import AtticAPI
import NixStore
import Platform

/// Sends paths; what a push does for each.
package protocol PathUploader: Sendable {
    /// What one request may carry; nil where each path goes alone.
    var sharing: PushQueue.Sharing? { get }

    /// Sends a path, and tells how many bytes of its NAR have gone.
    ///
    /// - Parameter progress: the bytes sent so far, in total; they go back to 0 where all is sent again.
    func upload(
        _ info: PathInfo, progress: @escaping @Sendable (Int64) -> Void
    ) throws(ClientFailure) -> UploadPathResult

    /// Sends several paths in one request: all of them come to be, or none.
    ///
    /// - Parameter progress: as above, of all NARs.
    /// - Returns: the results in the order of the paths; nil where one of them is bad, and sending each alone will tell which.
    func upload(
        together infos: [PathInfo], progress: @escaping @Sendable (Int64) -> Void
    ) throws(ClientFailure) -> [UploadPathResult]?
}

/// What is told while a push runs. Called from the threads that send; each has a slot, and in it one request at a time.
package protocol PushObserver: Sendable {
    func began(_ infos: [PathInfo], slot: Int)
    func moved(_ byteCount: Int64, slot: Int)
    /// The paths of the request are there.
    func pushed(_ paths: [(info: PathInfo, result: UploadPathResult)], slot: Int, elapsed: Duration)
    /// The paths of the request will be sent again, each alone.
    func separated(slot: Int)
    /// The paths of the request are not there; those named were tried for their own sake.
    func failed(_ infos: [PathInfo], slot: Int, _ failure: ClientFailure)
    /// The path was not tried.
    func dropped(_ info: PathInfo, because reason: String)
}

/// A push in progress: threads that take what is ready until nothing is.
package struct PushRun {
    /// What came of it.
    package struct Outcome: Hashable, Sendable {
        package var pushedCount = 0
        package var notPushedCount = 0
        /// What to do about the first failure that has an answer.
        package var advice: String?
        /// Which kind all failures are of; nil where there were none, or several kinds.
        package var kind: ClientFailure.Kind?

        package init(pushedCount: Int = 0, notPushedCount: Int = 0, advice: String? = nil, kind: ClientFailure.Kind? = nil) {
            self.kind = kind
            self.pushedCount = pushedCount
            self.notPushedCount = notPushedCount
            self.advice = advice
        }
    }

    private struct State {
        var queue: PushQueue
        var outcome = Outcome()
    }

    private enum Step: Sendable { case send([Int]), stop }

    /// Sends the paths, at most `jobs` requests at once, each after those that it refers to. A failure stops what depends on
    /// it and nothing else.
    package static func run(
        _ paths: [PathInfo], jobs: Int, uploader: any PathUploader, observer: any PushObserver
    ) -> Outcome {
        precondition(jobs > 0, "a push has at least one job")
        let monitor = Monitor(State(queue: PushQueue(paths, sharing: uploader.sharing, jobs: jobs)))
        let run = PushRun(paths: paths, monitor: monitor, uploader: uploader, observer: observer)
        let threads = (0..<min(jobs, max(paths.count, 1))).map { slot in
            ThreadHandle(named: "upload-\(slot)") { run.work(slot) }
        }
        for thread in threads { thread.join() }
        return monitor.update { state in
            for index in state.queue.stranded {
                state.outcome.notPushedCount += 1
                observer.dropped(paths[index], because: "it refers to itself by way of others")
            }
            return state.outcome
        }
    }

    private let paths: [PathInfo]
    private let monitor: Monitor<State>
    private let uploader: any PathUploader
    private let observer: any PushObserver

    private func work(_ slot: Int) {
        while true {
            let step: Step = monitor.wait { state in
                let request = state.queue.takeReady()
                if !request.isEmpty { return .send(request) }
                return state.queue.isExhausted ? .stop : nil
            }
            guard case .send(let request) = step else { return }
            send(request, slot)
        }
    }

    private func send(_ request: [Int], _ slot: Int) {
        let infos = request.map { paths[$0] }
        observer.began(infos, slot: slot)
        let start = MonotonicTime.now
        do throws(ClientFailure) {
            guard let results = try upload(infos, slot) else {
                observer.separated(slot: slot)
                return monitor.update { $0.queue.separate(request) }
            }
            observer.pushed(Array(zip(infos, results)), slot: slot, elapsed: .now - start)
            monitor.update { state in
                state.queue.finish(request)
                state.outcome.pushedCount += request.count
            }
        } catch {
            let failures = monitor.update { state in
                let failures = state.queue.fail(request)
                state.outcome.kind = state.outcome.notPushedCount == 0 || state.outcome.kind == error.kind ? error.kind : nil
                state.outcome.notPushedCount += failures.reduce(0) { $0 + 1 + $1.dropped.count }
                state.outcome.advice = state.outcome.advice ?? error.advice
                return failures
            }
            observer.failed(failures.map { paths[$0.failed] }, slot: slot, error)
            for (failed, dropped) in failures {
                for index in dropped {
                    observer.dropped(paths[index], because: "it needs \(paths[failed].path), which was not pushed")
                }
            }
        }
    }

    private func upload(_ infos: [PathInfo], _ slot: Int) throws(ClientFailure) -> [UploadPathResult]? {
        let observer = observer
        let progress: @Sendable (Int64) -> Void = { observer.moved($0, slot: slot) }
        if infos.count == 1 { return [try uploader.upload(infos[0], progress: progress)] }
        return try uploader.upload(together: infos, progress: progress)
    }
}
