import Platform
import Storage

/// Whose turn it is: the director's (0), or that of one strand. Whoever has it is the only one that runs.
///
/// It is also what every fault site asks, so that strands can be stopped there, and calls made to fail. Thread: any.
final class Stage: FaultSource {
    /// Where something goes wrong.
    enum Target: Sendable {
        /// Calls to the system fail, and what counts as one: the database's BEGIN and COMMIT, what is written into a bucket.
        case calls
        /// Connections to the database are lost where transactions begin and end.
        case database
        /// The bucket answers badly.
        case bucket
    }

    /// What goes wrong, while something does.
    struct Trouble: Sendable {
        var target = Target.calls
        /// Of a hundred arrivals.
        var chance = 0
        var errors: [Errno] = []
        /// Whether writes are cut short instead of failing.
        var shortens = false
        /// Only there, where it is not nil.
        var site: String?
        /// Arrivals until all is well again.
        var arrivalsLeft = 0
    }

    private struct State {
        var turn = 0
        /// Where the strand that ran last stands.
        var place = ""
        var dice = Dice(seed: 0)
        /// Of a hundred arrivals at a site, how often a strand stops there.
        var pauseChance = 0
        var trouble = Trouble()
        var injectedCount = 0
        /// The server was killed: nothing works any more.
        var isDead = false
        /// The director's own requests meet trouble, too.
        var isDirectorExposed = false
        /// Files and directories by path, and what of them a power cut leaves.
        var syncedByteCounts: [String: Int64] = [:]
        var syncedNames: [String: Set<String>] = [:]
        var packCount: UInt64 = 0

        /// Whether what happens now is of those whom trouble may meet.
        var isExposed: Bool { !isDead && (turn != 0 || isDirectorExposed) && trouble.arrivalsLeft > 0 }

        /// Whether it is this time.
        mutating func isStruck() -> Bool {
            trouble.arrivalsLeft -= 1
            guard dice.chance(trouble.chance) else { return false }
            injectedCount += 1
            return true
        }

        /// What becomes of a call at a site.
        mutating func arrive(at site: FaultSite, _ byteCount: Int64) -> Outcome {
            if isDead { return .fails(.inputOutput) }
            guard isExposed else { return .takes(byteCount) }
            switch trouble.target {
            case .bucket: return .takes(byteCount)
            case .database:
                guard site.name == "begin" || site.name == "commit", isStruck() else { return .takes(byteCount) }
                let strike = dice.pick(DatabaseStrike.allCases)
                return strike == .conflict ? .fails(.wouldBlock) : .loses(strike)
            case .calls: break
            }
            if let wanted = trouble.site, wanted != site.name { return .takes(byteCount) }
            if site.name == "transaction-durable" || !isStruck() { return .takes(byteCount) }
            if trouble.shortens { return .takes(site == .write ? max(1, byteCount / 2) : byteCount) }
            var error = dice.pick(trouble.errors)
            // A full disk has the log begun anew once a second, by a clock that no seed decides.
            if error == .noSpace, Stage.unpausedSites.contains(site.name) { error = .inputOutput }
            // Bytes that cannot be read are marked as damaged, as they should be, and the model would not know.
            if error == .inputOutput, turn == 0 || turn >= Stage.firstReader { error = .tooManyFiles }
            return .fails(error)
        }
    }

    private let state = Monitor(State())
    /// What loses connections to the database, where it has any.
    private let onStrike = Monitor<(@Sendable (DatabaseStrike) -> Void)?>(nil)

    /// Strands from this number on only read: what they cannot read is marked as damaged, and the model would not know.
    static let firstReader = 2_000_000

    init(seed: UInt64) { state.update { $0.dice = Dice(seed: seed ^ 0x5354_4147) } }

    // MARK: The director

    var place: String { state.withLock { $0.place } }
    var injectedCount: Int { state.withLock { $0.injectedCount } }
    var hasTrouble: Bool { state.withLock { $0.trouble.arrivalsLeft > 0 } }
    var isDead: Bool {
        get { state.withLock { $0.isDead } }
        set { state.withLock { $0.isDead = newValue } }
    }

    func set(_ trouble: Trouble) { state.withLock { $0.trouble = trouble } }
    func setPauseChance(_ ofHundred: Int) { state.withLock { $0.pauseChance = ofHundred } }

    /// Runs a request of the director's that may meet trouble.
    func exposed<Result>(_ body: () throws -> Result) rethrows -> Result {
        state.withLock { $0.isDirectorExposed = true }
        defer { state.withLock { $0.isDirectorExposed = false } }
        return try body()
    }

    /// Hands a strand the turn, until it hands it back.
    func resume(_ strand: Int) {
        state.update { $0.turn = strand }
        state.wait { $0.turn == 0 ? () : nil }
    }

    /// What of a file a power cut leaves; nil where it was never synced.
    func syncedByteCount(_ path: String) -> Int64? { state.withLock { $0.syncedByteCounts[path] } }
    func syncedNames(_ directory: String) -> Set<String> { state.withLock { $0.syncedNames[directory] ?? [] } }

    /// All that is there has been there before the last crash.
    func setSynced(_ byteCounts: [String: Int64], _ names: [String: Set<String>]) {
        state.withLock { ($0.syncedByteCounts, $0.syncedNames) = (byteCounts, names) }
    }

    /// A name for a pack, that no other has.
    func nextPack() -> PackName {
        guard let name = PackName(nextPackText()) else { preconditionFailure("a pack's name has 32 digits") }
        return name
    }

    private func nextPackText() -> String {
        let (number, noise) = state.withLock { state in
            state.packCount += 1
            var dice = Dice(seed: state.packCount &* 77)
            return (state.packCount, dice.next())
        }
        func hex(_ word: UInt64) -> String {
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }
        // A few shards only, so that they are shared and emptied.
        return "0" + String(noise % 4) + hex(noise).dropFirst(2) + hex(number)
    }

    // MARK: Databases and buckets

    func use(_ onStrike: @escaping @Sendable (DatabaseStrike) -> Void) { self.onStrike.update { $0 = onStrike } }

    /// What becomes of a request to the bucket: one of those, or nil where it is answered well. Thread: the bucket's.
    func strikeBucket<Strike: Sendable>(_ strikes: [Strike]) -> Strike? {
        state.withLock { state in
            guard state.isExposed, state.trouble.target == .bucket, state.isStruck() else { return nil }
            return state.dice.pick(strikes)
        }
    }

    // MARK: Strands

    /// Waits for the first turn. Thread: the strand's.
    func waitForTurn(_ strand: Int) { state.wait { $0.turn == strand ? () : nil } }

    /// Hands the turn back, and waits for the next. Nothing where the director runs. Thread: the strand's.
    func pause(at place: String) {
        let strand: Int? = state.update { state in
            guard state.turn != 0, !state.isDead else { return nil }
            defer { state.turn = 0 }
            state.place = place
            return state.turn
        }
        if let strand { waitForTurn(strand) }
    }

    /// Hands the turn back for good. Thread: the strand's.
    func end() {
        state.update { state in
            state.place = "its end"
            state.turn = 0
        }
    }

    // MARK: Sites

    /// Reached on the database's thread, which nobody stops.
    private static let unpausedSites: Set<String> = ["begin", "commit", "transaction-durable"]

    func limit(_ site: FaultSite, _ descriptor: Int32?, _ byteCount: Int64) throws(Errno) -> Int64 {
        let pauses = state.withLock { state in
            state.turn != 0 && !Stage.unpausedSites.contains(site.name) && state.pauseChance > 0
                && state.dice.chance(state.pauseChance)
        }
        if pauses { pause(at: site.name) }
        switch state.withLock({ $0.arrive(at: site, byteCount) }) {
        case .fails(let error): throw error
        case .takes(let count):
            if let descriptor { note(site, descriptor, count) }
            return count
        case .loses(let strike):
            onStrike.withLock { $0 }?(strike)
            return byteCount
        }
    }

    private enum Outcome {
        case takes(Int64)
        case fails(Errno)
        case loses(DatabaseStrike)
    }

    /// Keeps what a power cut would leave: nothing else runs between this and the call.
    private func note(_ site: FaultSite, _ descriptor: Int32, _ byteCount: Int64) {
        guard site == .sync || site == .truncate,
            let path = try? File.resolve("/proc/self/fd/\(descriptor)"), let status = try? File.status(path)
        else { return }
        if site == .truncate {
            return state.withLock { state in
                if let synced = state.syncedByteCounts[path] { state.syncedByteCounts[path] = min(synced, byteCount) }
            }
        }
        if status.kind == .directory {
            let names = Set((try? Directory.names(path)) ?? [])
            state.withLock { $0.syncedNames[path] = names }
        } else {
            state.withLock { $0.syncedByteCounts[path] = status.byteCount }
        }
    }
}

/// Something that runs in turns, on a thread of its own.
final class Strand<Output: Sendable>: Sendable {
    private let number: Int
    private let stage: Stage
    private let result = Monitor<Output?>(nil)
    private let thread: ThreadHandle

    init(_ number: Int, on stage: Stage, _ body: @escaping @Sendable () -> Output) {
        self.number = number
        self.stage = stage
        let result = result
        thread = ThreadHandle(named: "strand-\(number % 1_000_000)") {
            stage.waitForTurn(number)
            let output = body()
            result.update { $0 = output }
            stage.end()
        }
    }

    /// Nil until it has ended.
    var output: Output? { result.withLock { $0 } }

    /// Lets it go on to where it stops next, or ends.
    func resume() {
        stage.resume(number)
        if output != nil { thread.join() }
    }
}

/// How connections to a database are lost.
enum DatabaseStrike: CaseIterable, Sendable {
    /// Its server ends all connections, with a word.
    case terminate
    /// The next request of the writer does not arrive.
    case cut
    /// It does, and is done; the answer does not come.
    case loseAnswer
    /// None is: the transaction has to be tried again for another reason.
    case conflict
}
