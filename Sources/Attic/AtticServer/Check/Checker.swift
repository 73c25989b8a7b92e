import Database
import Logging
import Platform
import Storage

/// Compares rows with rows, and rows with bytes, both ways; puts right what it is told to. What `atticadm fsck` does.
///
/// It runs beside a server and a collection. What it looks at is read in short transactions, rows before bytes, and whatever
/// seems wrong is looked at again before it is told, in an order in which it could not have come about by what others do:
///
/// - A row that is the same before and after its bytes were found missing has lost them: bytes are durable before their rows are
///   there, rows go before their bytes do, and neither ids nor names of packs nor places in them are given twice.
/// - A file is told to be without a row, or too long, by who holds its lock, which an upload has until after its commit.
///
/// Every repair is one short transaction that looks once more.
///
/// Thread: one.
final class Checker {
    let catalog: Catalog
    let store: any ChunkStore
    let options: CheckOptions
    let verifier: NarVerifier
    var report = CheckReport()
    /// What was told of, so that the reading of contents does not tell it again: names of packs, ids of NARs and chunks.
    var toldPacks: Set<String> = []
    var toldNars: Set<Int64> = []
    var toldChunks: Set<Int64> = []
    private let tell: (Finding) -> Void
    private let move: (CheckProgress) -> Void
    private let goesOn: () -> Bool

    /// - Parameters:
    ///   - tell: is given each finding, when it is settled.
    ///   - move: is told how far it has come, often.
    ///   - goesOn: is asked often; false ends it.
    init(
        _ catalog: Catalog, _ store: any ChunkStore, _ options: CheckOptions, tell: @escaping (Finding) -> Void = { _ in },
        move: @escaping (CheckProgress) -> Void = { _ in }, goesOn: @escaping () -> Bool = { true }
    ) {
        self.catalog = catalog
        self.store = store
        self.options = options
        verifier = NarVerifier(catalog, store)
        self.tell = tell
        self.move = move
        self.goesOn = goesOn
    }

    /// Rows that are read at a time.
    static let rowsMax = 1000
    /// NARs whose references are added up at a time, and rows that one repair changes.
    static let batchCount = 100
    /// How often a pack without bytes is looked at again that no row names, and what lies between: a writer makes the file, and then
    /// locks it.
    static let (looksAtEmptyPack, emptyPackPause) = (10, Duration.milliseconds(20))

    func run() throws -> CheckReport {
        // What is listed now is settled at the end: a file that was just being made has its writer's lock by then.
        let packFiles = try store.packNames()
        do {
            try checkDatabaseFile()
            if report.findingCount > 0 {
                report.notices.append("the rest was not looked at: what a damaged file says of it counts for nothing")
                report.isComplete = false
                return report
            }
            try checkLinks()
            try checkPacks()
            try checkNars()
            try checkObjects()
            try checkBuildLogs()
            try checkUnreachable()
            try checkLeases()
            try checkFiles(packFiles)
            if options.verifiesContent { try checkContents() }
        } catch is Stopped {
            report.isComplete = false
        }
        return report
    }

    // MARK: What each part of it uses

    struct Stopped: Error {}

    /// - Throws: `Stopped`.
    func step(_ progress: CheckProgress) throws {
        move(progress)
        if !goesOn() { throw Stopped() }
    }

    var isStopped: Bool { !goesOn() }

    /// What came of a repair.
    enum Repair {
        case done(String? = nil)
        /// Done as far as it can be; the rest is for the operator.
        case remains(String)
        case failed(String)
        /// It is not so any more.
        case vanished
    }

    /// Takes a finding, repairs it where that is wanted, and tells it.
    func take(_ finding: Finding, repair: () throws -> Repair) {
        var finding = finding
        if options.repairs {
            let repaired: Repair
            do { repaired = try repair() } catch { repaired = .failed("\(error)") }
            switch repaired {
            case .done(let outcome): (finding.state, finding.outcome) = (.repaired, outcome)
            case .remains(let outcome): (finding.state, finding.outcome) = (.remains, outcome)
            case .failed(let outcome): (finding.state, finding.outcome) = (.failed, outcome)
            case .vanished: return
            }
        }
        report.add(finding)
        tell(finding)
    }

    func read<Result: Sendable>(_ body: (CatalogSession) throws(DatabaseError) -> Result) throws(DatabaseError) -> Result {
        try catalog.read(body)
    }

    func write<Result: Sendable>(
        _ body: @escaping @Sendable (CatalogSession) throws(DatabaseError) -> Result
    ) throws(DatabaseError) -> Result {
        try catalog.write(body)
    }

    /// Where a pack is, for people.
    func location(_ pack: String) -> String {
        PackName(pack).map { store.location(of: $0) } ?? "\"\(pack)\", which is no name of a pack"
    }
}

/// What to check, and what to do about it.
package struct CheckOptions: Sendable, Hashable {
    /// Whether all NARs are read and hashed.
    package var verifiesContent = false
    /// Of reading them; nil: as fast as it goes.
    package var bytesPerSecond: Int64?
    /// The first NAR to be read, by its id: where an earlier check ended.
    package var firstNarID: Int64 = 0
    package var repairs = false
    /// Leases that ended by now are told.
    package var now: WallTime

    package init(now: WallTime) { self.now = now }
}

/// How far a check has come.
package struct CheckProgress: Sendable, Hashable {
    /// What it is at: `packs`, `contents`.
    package let part: String
    /// Rows, of contents bytes.
    package let done: Int64
    /// Nil where it is not known.
    package let total: Int64?
    /// Where to go on reading contents after a stop.
    package let next: Int64?

    package init(_ part: String, done: Int64, total: Int64? = nil, next: Int64? = nil) {
        self.part = part
        self.done = done
        self.total = total
        self.next = next
    }
}
