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
            var requests: [[String]] = []
            var separatedCount = 0
        }
        let notes = Monitor(Notes())
        let failing: Set<String>
        /// So many must have begun before any goes on: shows that they run at once.
        let meeting: Int
        let sharing: PushQueue.Sharing?
        /// Requests of several paths are not even sent.
        let isDown: Bool

        init(failing: Set<String> = [], meeting: Int = 1, sharing: PushQueue.Sharing? = nil, isDown: Bool = false) {
            self.failing = failing
            self.meeting = meeting
            self.sharing = sharing
            self.isDown = isDown
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

        func upload(
            together infos: [PathInfo], progress: @escaping @Sendable (Int64) -> Void
        ) throws(ClientFailure) -> [UploadPathResult]? {
            let names = infos.map(\.path.baseName)
            notes.update { $0.requests.append(names) }
            if isDown { throw ClientFailure(.unreachable, "nobody there") }
            return names.contains(where: failing.contains) ? nil : infos.map { _ in UploadPathResult(kind: .uploaded) }
        }

        func began(_ infos: [PathInfo], slot: Int) {}
        func moved(_ byteCount: Int64, slot: Int) {}
        func pushed(_ paths: [(info: PathInfo, result: UploadPathResult)], slot: Int, elapsed: Duration) {
            let names = paths.map(\.info.path.baseName)
            notes.update { $0.pushed += names }
        }
        func separated(slot: Int) { notes.update { $0.separatedCount += 1 } }
        func failed(_ infos: [PathInfo], slot: Int, _ failure: ClientFailure) {
            let names = infos.map(\.path.baseName)
            notes.update { $0.failed += names }
        }
        func dropped(_ info: PathInfo, because reason: String) { notes.update { $0.dropped.append(info.path.baseName) } }
    }

    @Test("As many run at once as there are jobs, and no more", arguments: [1, 2, 5])
    func jobs(count: Int) throws {
        let infos = try (0..<20).map { try TestPaths.info($0) }
        let recorder = Recorder(meeting: count)
        let outcome = PushRun.run(infos, jobs: count, uploader: recorder, observer: recorder)
        #expect(outcome == PushRun.Outcome(pushedCount: 20, notPushedCount: 0))
        #expect(recorder.notes.withLock { $0.runningMax } == count)
    }

    @Test("A chain goes one after the other, whatever the jobs")
    func chain() throws {
        let infos = try (0..<30).map { try TestPaths.info($0, references: $0 == 0 ? [] : [$0 - 1]) }
        let recorder = Recorder()
        _ = PushRun.run(infos, jobs: 8, uploader: recorder, observer: recorder)
        #expect(recorder.notes.withLock { $0.pushed } == infos.map(\.path.baseName))
        #expect(recorder.notes.withLock { $0.runningMax } == 1)
    }

    @Test("After a failure the others go on, and what needs it is said to be left out")
    func failure() throws {
        let infos = [
            try TestPaths.info(0), try TestPaths.info(1), try TestPaths.info(2, references: [1]),
            try TestPaths.info(3, references: [2]), try TestPaths.info(4, references: [0]),
        ]
        let recorder = Recorder(failing: [infos[1].path.baseName])
        let outcome = PushRun.run(infos, jobs: 2, uploader: recorder, observer: recorder)
        #expect(outcome == PushRun.Outcome(pushedCount: 2, notPushedCount: 3, advice: "try", kind: .failed))
        #expect(recorder.notes.withLock { Set($0.pushed) } == [infos[0].path.baseName, infos[4].path.baseName])
        #expect(recorder.notes.withLock { $0.failed } == [infos[1].path.baseName])
        #expect(recorder.notes.withLock { $0.dropped } == [infos[2].path.baseName, infos[3].path.baseName])
    }

    private let sharing = PushQueue.Sharing(pathsMax: 100, narBytesMax: 1 << 20)

    @Test("A chain of small paths is one request, where the server takes several")
    func together() throws {
        let infos = try (0..<30).map { try TestPaths.info($0, references: $0 == 0 ? [] : [$0 - 1]) }
        let recorder = Recorder(sharing: sharing)
        #expect(PushRun.run(infos, jobs: 5, uploader: recorder, observer: recorder) == PushRun.Outcome(pushedCount: 30))
        #expect(recorder.notes.withLock { $0.requests } == [infos.map(\.path.baseName)])
        #expect(recorder.notes.withLock { $0.pushed } == infos.map(\.path.baseName))
    }

    @Test("Where one of several is refused each goes alone, and only what needs the bad one is left out")
    func refusedTogether() throws {
        let infos = try (0..<6).map { try TestPaths.info($0, references: $0 == 0 || $0 == 4 ? [] : [$0 - 1]) }
        let names = infos.map(\.path.baseName)
        let recorder = Recorder(failing: [names[2]], sharing: sharing)
        let outcome = PushRun.run(infos, jobs: 2, uploader: recorder, observer: recorder)
        #expect(outcome == PushRun.Outcome(pushedCount: 4, notPushedCount: 2, advice: "try", kind: .failed))
        #expect(recorder.notes.withLock { $0.requests.count } == 1 && recorder.notes.withLock { $0.separatedCount } == 1)
        #expect(recorder.notes.withLock { Set($0.pushed) } == [names[0], names[1], names[4], names[5]])
        #expect(recorder.notes.withLock { $0.failed } == [names[2]] && recorder.notes.withLock { $0.dropped } == [names[3]])
    }

    @Test("Where a request of several fails as a whole, each of its paths is told once")
    func downTogether() throws {
        let infos = [try TestPaths.info(0), try TestPaths.info(1), try TestPaths.info(2, references: [1])]
        let recorder = Recorder(sharing: sharing, isDown: true)
        let outcome = PushRun.run(infos, jobs: 2, uploader: recorder, observer: recorder)
        #expect(outcome == PushRun.Outcome(notPushedCount: 3, kind: .unreachable))
        #expect(recorder.notes.withLock { $0.failed } == infos[..<2].map(\.path.baseName))
        #expect(recorder.notes.withLock { $0.dropped } == [infos[2].path.baseName])
    }

    @Test("Nothing to push is no work")
    func empty() {
        let recorder = Recorder()
        #expect(PushRun.run([], jobs: 3, uploader: recorder, observer: recorder) == PushRun.Outcome())
    }
}
