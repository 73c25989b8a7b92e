import HTTP
import HTTPServer
import Platform

@testable import AtticServer

/// What went wrong, and how it came to that.
struct SimulationFailure: Error, CustomStringConvertible {
    let seed: UInt64
    let step: Int
    let difference: String
    let combination: Combination
    let history: [String]

    var description: String {
        """
        seed \(seed) failed at step \(step): \(difference)
        again: scripts/simulate\(combination.options) --seed \(seed) --steps \(step)
        the last steps:
        \(history.map { "  \($0)" }.joined(separator: "\n"))
        """
    }
}

/// One run: docs/simulation.md says how. Thread: the director's; strands run only inside `resume`.
final class Simulation {
    /// Something under way, in turns.
    struct Running {
        enum Work {
            case push(Push)
            case collection(Collection)
            case punch
            case check(isRepairing: Bool, injectedAtStart: Int)
        }
        let number: Int
        let strand: Strand<Outcome>
        var work: Work
    }

    /// What came of a strand.
    enum Outcome: Sendable {
        case answered(Response)
        case collected(Sweeper.Report?)
        case done
        case checked(Result<[String], SimulationFault>)
        case started(Result<SimulatedServer, SimulationFault>)
    }

    /// An error of the server's own, in words.
    struct SimulationFault: Error { let text: String }

    let seed: UInt64
    var dice: Dice
    let stage: Stage
    let pool: Pool
    let users: [User]
    /// Of somebody who may pull from every cache and push to none: what is looked at with it is not used by that.
    let observer = SimulatedServer.token(User(name: "observer", grants: [("*", .pull)]))
    let clock = Monitor(WallTime(milliseconds: 1_800_000_000_000))
    var model = Model()
    var world: World
    /// Nil while none runs.
    var current: SimulatedServer?
    var running: [Running] = []
    var pulls: [Pull] = []
    var step = 0
    /// The clock never ran behind this.
    var latest = WallTime(milliseconds: 1_800_000_000_000)
    /// Errors may have left something that only a start puts right.
    var injectedAtStart = 0
    var counts: [String: Int] = [:]
    private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325
    private var history: [String] = []
    private var nextNumber = 1
    private let isVerbose: Bool

    private static let historyCount = 60
    private static let runningMax = 5
    private static let pullsMax = 4

    init(seed: UInt64, _ combination: Combination, isVerbose: Bool = false) throws {
        self.seed = seed
        self.isVerbose = isVerbose
        dice = Dice(seed: seed)
        stage = Stage(seed: seed)
        world = try World(combination, stage)
        pool = try Pool(world.configuration.chunking, &dice)
        users = User.all().map { user in
            var user = user
            user.token = SimulatedServer.token(user)
            return user
        }
        Faults.insert(stage)
        let clock = clock
        current = try SimulatedServer(world, stage, TimeSource { clock.withLock { $0 } })
    }

    deinit {
        endAll()
        stop()
        Faults.insert(nil)
    }

    var server: SimulatedServer {
        guard let current else { preconditionFailure("a server runs while it is asked") }
        return current
    }

    /// Lets go of the server, and of its locks.
    func stop() {
        current?.close()
        current = nil
    }

    var now: WallTime { clock.withLock { $0 } }
    var time: TimeSource {
        let clock = clock
        return TimeSource { clock.withLock { $0 } }
    }

    // MARK: Steps

    func run(steps: Int) throws {
        for name in Model.names.indices.dropLast() { try changeCache(name) }
        while step < steps {
            step += 1
            try takeStep()
            try checkSome()
            if step % 40 == 0 { try checkAll() }
        }
        try settle()
    }

    private func takeStep() throws {
        // What is under way goes on, more often than not.
        if !running.isEmpty, dice.chance(55) { return try resume(dice.below(running.count)) }
        if !pulls.isEmpty, dice.chance(30) { return try readOn(dice.below(pulls.count)) }
        switch dice.below(1000) {
        case ..<330: if running.count < Simulation.runningMax { try beginPush() }
        case ..<400: if running.count < Simulation.runningMax { try beginNarInfo() }
        case ..<500: if pulls.count < Simulation.pullsMax { try beginPull() }
        case ..<560: try ask()
        case ..<620: if running.count < Simulation.runningMax { try beginCollection() }
        case ..<650: if running.count < Simulation.runningMax { try beginCheck() }
        case ..<680: try doUpkeep()
        case ..<690: if running.count < Simulation.runningMax { try beginPunch() }
        case ..<780: moveClock()
        case ..<840: try changeCache(dice.below(Model.names.count))
        case ..<910: makeTrouble()
        case ..<925: try crash(isPowerCut: dice.chance(50))
        case ..<930: try restart()
        case ..<934: try settle()
        default: try askAsSomebody()
        }
    }

    private func moveClock() {
        let milliseconds: Int64 = switch dice.below(20) {
        case 0: -Int64(dice.from(1...7200)) * 1000
        case 1: Int64(dice.from(3600...400_000)) * 1000
        case 2...6: Int64(dice.from(600...2900)) * 1000
        default: Int64(dice.from(1...90_000))
        }
        setClock(now + .milliseconds(milliseconds))
        say("the clock moves by \(milliseconds) ms")
    }

    func setClock(_ time: WallTime) {
        clock.update { $0 = time }
        latest.raise(to: time)
        world.timePasses()
        for index in running.indices {
            if case .push(var push) = running[index].work {
                push.note(time)
                running[index].work = .push(push)
            }
            if case .collection(var collection) = running[index].work {
                collection.note(time)
                running[index].work = .collection(collection)
            }
        }
        noteStateChange()
    }

    private func makeTrouble() {
        // What it cannot read it marks as damaged, as it should, and it would be right.
        if isRepairing { return }
        var trouble = Stage.Trouble()
        let targets = world.troubles
        if targets.count > 1 { trouble.target = dice.pick(targets) }
        trouble.chance = dice.pick([5, 20, 60, 100])
        trouble.errors = dice.pick([[.noSpace], [.inputOutput], [.tooManyFiles], [.noSpace, .inputOutput, .tooManyFiles]])
        trouble.shortens = dice.chance(15)
        trouble.site = dice.chance(40) ? dice.pick(["open", "write", "sync", "truncate", "punch", "remove", "begin", "commit"]) : nil
        trouble.arrivalsLeft = dice.from(1...25)
        stage.set(trouble)
        if trouble.target != .calls { return say("trouble of the \(trouble.target), \(trouble.chance) of 100, \(trouble.arrivalsLeft) arrivals") }
        say("trouble: \(trouble.site ?? "any site"), \(trouble.shortens ? "short" : trouble.errors.map { String($0.code) }.joined(separator: "/")), \(trouble.chance) of 100, \(trouble.arrivalsLeft) arrivals")
    }

    // MARK: What is under way

    /// Begins something, and lets it run to where it stops first.
    func begin(_ work: Running.Work, pauseChance: Int, _ body: @escaping @Sendable () -> Outcome) throws {
        let number = makeNumber()
        let strand = Strand(number, on: stage, body)
        running.append(Running(number: number, strand: strand, work: work))
        noteStateChange()
        stage.setPauseChance(pauseChance)
        try resume(running.count - 1)
    }

    /// Numbers strands and pulls.
    func makeNumber() -> Int {
        defer { nextNumber += 1 }
        return nextNumber
    }

    private func resume(_ index: Int) throws {
        let number = running[index].number
        if dice.chance(20) { stage.setPauseChance(dice.pick([0, 5, 30, 80])) }
        let injected = stage.injectedCount
        noteBeforeResume(index)
        running[index].strand.resume()
        let isTroubled = stage.injectedCount > injected
        say("\(number) goes on to \(stage.place)\(isTroubled ? ", in trouble" : "")")
        noteAfterResume(index, isTroubled: isTroubled)
        notePulls(afterTurnOf: running[index].work)
        guard let outcome = running[index].strand.output else { return noteStateChange() }
        let ended = running.remove(at: index)
        switch (ended.work, outcome) {
        case (.push(let push), .answered(let response)): try end(push, response, number)
        case (.collection(let collection), .collected(let report)): try end(collection, report, number)
        case (.check(let isRepairing, let injected), .checked(let result)): try endCheck(result, isRepairing, injected, number)
        default: say("\(number) is done")
        }
        noteStateChange()
    }

    private func noteBeforeResume(_ index: Int) {
        guard case .push(var push) = running[index].work else { return }
        push.note(now)
        running[index].work = .push(push)
    }

    private func noteAfterResume(_ index: Int, isTroubled: Bool) {
        switch running[index].work {
        case .push(var push):
            push.isTroubled = push.isTroubled || isTroubled
            if stage.place.hasPrefix("the body") { push.notePiece(now) }
            running[index].work = .push(push)
        case .collection(var collection):
            collection.isTroubled = collection.isTroubled || isTroubled
            if ["rows-swept", "punch", "remove", "pack-forgotten", "pack-removed", "between-steps"].contains(stage.place) { collection.hasTime = true }
            running[index].work = .collection(collection)
        case .punch, .check: break
        }
    }

    /// Ends all that is under way, as a client that goes away and a collection that is not stopped.
    func finishAll() throws {
        stage.setPauseChance(0)
        stage.set(Stage.Trouble())
        while !running.isEmpty { try resume(running.count - 1) }
        while !pulls.isEmpty { try readOn(pulls.count - 1) }
    }

    /// Ends all strands, whose server is dead.
    func endAll() {
        stage.isDead = true
        for work in running { while work.strand.output == nil { work.strand.resume() } }
        for pull in pulls { pull.unwind() }
        running = []
        pulls = []
        stage.set(Stage.Trouble())
        stage.isDead = false
    }

    // MARK: What is told

    func count(_ what: String) { counts[what, default: 0] += 1 }

    func say(_ text: String) {
        let line = "\(step) [\(now.milliseconds - 1_800_000_000_000)] \(text)"
        for byte in line.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        if isVerbose { print(line) }
        history.append(line)
        if history.count > 2 * Simulation.historyCount { history.removeFirst(Simulation.historyCount) }
    }

    func fail(_ difference: String) -> SimulationFailure {
        SimulationFailure(seed: seed, step: step, difference: difference, combination: world.combination, history: history.suffix(Simulation.historyCount))
    }
}
