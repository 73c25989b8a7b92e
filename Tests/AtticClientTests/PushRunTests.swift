import AtticAPI
import AtticClient
import NixStore
import Platform
import Testing

@Suite("A push in progress")
struct PushRunTests {
    /// Notes what is asked of it, and fails where it is told to.
    private final class Recorder: PathUploader, PushObserver {
        struct Notes {
            var running = 0
            var runningMax = 0
            var pushed: [String] = []
            var failed: [String] = []
            var dropped: [String] = []
        }
        let notes = Monitor(Notes())
        let failing: Set<String>
        /// So many must have begun before any goes on: shows that they run at once.
        let meeting: Int

        init(failing: Set<String> = [], meeting: Int = 1) {
            self.failing = failing
            self.meeting = meeting
        }

        func upload(_ info: PathInfo, progress: @escaping @Sendable (Int64) -> Void) throws(ClientFailure) -> UploadPathResult {
            notes.update { notes in
                notes.running += 1
                notes.runningMax = max(notes.runningMax, notes.running)
            }
            let _: Bool = notes.wait { $0.runningMax >= meeting ? true : nil }
            progress(info.narSize)
            notes.update { $0.running -= 1 }
            if failing.contains(info.path.baseName) { throw ClientFailure(.failed, "no", advice: "try") }
            return UploadPathResult(kind: .uploaded)
        }

        func began(_ info: PathInfo, slot: Int) {}
        func moved(_ byteCount: Int64, slot: Int) {}
        func pushed(_ info: PathInfo, slot: Int, _ result: UploadPathResult, elapsed: Duration) {
            notes.update { $0.pushed.append(info.path.baseName) }
        }
        func failed(_ info: PathInfo, slot: Int, _ failure: ClientFailure) { notes.update { $0.failed.append(info.path.baseName) } }
        func dropped(_ info: PathInfo, because reason: String) { notes.update { $0.dropped.append(info.path.baseName) } }
    }

    @Test("As many run at once as there are jobs, and no more", arguments: [1, 2, 5])
    func jobs(count: Int) throws {
        let infos = try (0..<20).map { try TestPaths.info($0) }
        let recorder = Recorder(meeting: count)
        let outcome = PushRun.run(infos, jobs: count, uploader: recorder, observer: recorder)
        #expect(outcome == PushRun.Outcome(pushedCount: 20, notPushedCount: 0))
        #expect(recorder.notes.peek { $0.runningMax } == count)
    }

    @Test("A chain goes one after the other, whatever the jobs")
    func chain() throws {
        let infos = try (0..<30).map { try TestPaths.info($0, references: $0 == 0 ? [] : [$0 - 1]) }
        let recorder = Recorder()
        _ = PushRun.run(infos, jobs: 8, uploader: recorder, observer: recorder)
        #expect(recorder.notes.peek { $0.pushed } == infos.map(\.path.baseName))
        #expect(recorder.notes.peek { $0.runningMax } == 1)
    }

    @Test("After a failure the others go on, and what needs it is said to be left out")
    func failure() throws {
        let infos = [
            try TestPaths.info(0), try TestPaths.info(1), try TestPaths.info(2, references: [1]),
            try TestPaths.info(3, references: [2]), try TestPaths.info(4, references: [0]),
        ]
        let recorder = Recorder(failing: [infos[1].path.baseName])
        let outcome = PushRun.run(infos, jobs: 2, uploader: recorder, observer: recorder)
        #expect(outcome == PushRun.Outcome(pushedCount: 2, notPushedCount: 3, advice: "try"))
        #expect(recorder.notes.peek { Set($0.pushed) } == [infos[0].path.baseName, infos[4].path.baseName])
        #expect(recorder.notes.peek { $0.failed } == [infos[1].path.baseName])
        #expect(recorder.notes.peek { $0.dropped } == [infos[2].path.baseName, infos[3].path.baseName])
    }

    @Test("Nothing to push is no work")
    func empty() {
        let recorder = Recorder()
        #expect(PushRun.run([], jobs: 3, uploader: recorder, observer: recorder) == PushRun.Outcome())
    }
}
