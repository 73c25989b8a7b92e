import AtticAPI
import NixStore
import Platform

/// Sends one path; what a push does for each.
package protocol PathUploader: Sendable {
    /// Sends a path, and tells how many bytes of its NAR have gone.
    ///
    /// - Parameter progress: the bytes sent so far, in total; they go back to 0 where all is sent again.
    func upload(
        _ info: PathInfo, progress: @escaping @Sendable (Int64) -> Void
    ) throws(ClientFailure) -> UploadPathResult
}

/// What is told while a push runs. Called from the threads that send.
package protocol PushObserver: Sendable {
    func began(_ info: PathInfo, slot: Int)
    func moved(_ byteCount: Int64, slot: Int)
    func pushed(_ info: PathInfo, slot: Int, _ result: UploadPathResult, elapsed: Duration)
    func failed(_ info: PathInfo, slot: Int, _ failure: ClientFailure)
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

        package init(pushedCount: Int = 0, notPushedCount: Int = 0, advice: String? = nil) {
            self.pushedCount = pushedCount
            self.notPushedCount = notPushedCount
            self.advice = advice
        }
    }

    private struct State {
        var queue: PushQueue
        var outcome = Outcome()
    }

    private enum Step: Sendable { case send(PathInfo, index: Int), stop }

    /// Sends the paths, at most `jobs` at once, each after those that it refers to. A failure stops what depends on it
    /// and nothing else.
    package static func run(
        _ paths: [PathInfo], jobs: Int, uploader: any PathUploader, observer: any PushObserver
    ) -> Outcome {
        precondition(jobs > 0, "a push has at least one job")
        let monitor = Monitor(State(queue: PushQueue(paths)))
        let threads = (0..<min(jobs, max(paths.count, 1))).map { slot in
            ThreadHandle(named: "upload-\(slot)") { work(slot, monitor, uploader, observer) }
        }
        for thread in threads { thread.join() }
        return monitor.update { state in
            for index in state.queue.stranded {
                state.outcome.notPushedCount += 1
                observer.dropped(state.queue.paths[index], because: "it refers to itself by way of others")
            }
            return state.outcome
        }
    }

    private static func work(
        _ slot: Int, _ monitor: Monitor<State>, _ uploader: any PathUploader, _ observer: any PushObserver
    ) {
        while true {
            let step: Step = monitor.wait { state in
                if let index = state.queue.takeReady() { return .send(state.queue.paths[index], index: index) }
                return state.queue.isExhausted ? .stop : nil
            }
            guard case .send(let info, let index) = step else { return }
            observer.began(info, slot: slot)
            let start = MonotonicTime.now
            do throws(ClientFailure) {
                let result = try uploader.upload(info) { observer.moved($0, slot: slot) }
                observer.pushed(info, slot: slot, result, elapsed: .now - start)
                monitor.update { state in
                    state.queue.finish(index)
                    state.outcome.pushedCount += 1
                }
            } catch {
                observer.failed(info, slot: slot, error)
                let dropped = monitor.update { state in
                    let dropped = state.queue.fail(index).map { state.queue.paths[$0] }
                    state.outcome.notPushedCount += dropped.count + 1
                    state.outcome.advice = state.outcome.advice ?? error.advice
                    return dropped
                }
                for path in dropped { observer.dropped(path, because: "it needs \(info.path), which was not pushed") }
            }
        }
    }
}
