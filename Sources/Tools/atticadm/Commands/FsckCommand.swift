import ArgumentParser
import AtticServer
import Platform

/// `atticadm fsck`: checks the server's rows and bytes against each other.
struct FsckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fsck",
        abstract: "Checks that the database and the storage agree, and repairs what does not.",
        discussion: """
            Findings go to standard output, one a line, and a summary as the last; progress goes to standard error. A server may \
            run meanwhile. Ends with 0 (clean), 6 (all that was found is repaired) or 7 (something is left: repair it, or push \
            again what is named); 1 where it could not be checked, or not to the end.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Read and hash every NAR and its chunks as well: takes as long as to read the storage.")
    var verifyContent = false

    @Option(help: ArgumentHelp(
        "Read at most so many bytes a second, as in 50M (K, M and G are powers of 1024).", valueName: "bytes"))
    var rate: RateArgument?

    @Option(help: ArgumentHelp("Begin to read at this NAR, as a stopped check said.", valueName: "number"))
    var from: Int64?

    @Flag(help: "Repair what is found; what is lost counts as missing from then on, so that the next push brings it back.")
    var repair = false

    @Flag(help: "Say what --repair would do, and do nothing.")
    var dryRun = false

    @Flag(help: "Print one JSON object instead of lines.")
    var json = false

    func validate() throws {
        if rate != nil && !verifyContent { throw ValidationError("--rate is for --verify-content") }
        guard let from else { return }
        if !verifyContent { throw ValidationError("--from is for --verify-content") }
        if from < 0 { throw ValidationError("--from takes the number that a stopped check said") }
    }

    func run() throws {
        // Stopping is asked for between two steps, so that what was found is told.
        Signals.block()
        let progress = ProgressLine(program: "atticadm", environment: Environment.all)
        let report: CheckReport
        do {
            let configuration = try Configuration.load(path: options.file, environment: Environment.all)
            var checks = CheckOptions(now: .now)
            checks.verifiesContent = verifyContent
            checks.bytesPerSecond = rate?.bytesPerSecond
            checks.firstNarID = from ?? 0
            checks.repairs = repair && !dryRun
            let (isRehearsal, isJSON) = (dryRun, json)
            var isStopped = false
            report = try Fsck.run(configuration, checks, log: OperatorLog.make("atticadm"), tell: { finding in
                progress.clear()
                if !isJSON { Terminal.put(finding.line(isRehearsal: isRehearsal).escapingControls() + "\n", on: Terminal.standardOutput) }
            }, move: { progress.show($0) }, goesOn: {
                if !isStopped { isStopped = Signals.wait(atMost: .zero) != nil }
                return !isStopped
            })
        } catch {
            progress.clear()
            throw Failure(sentence: "\(error)")
        }
        progress.clear()
        if json {
            Terminal.put(report.json + "\n", on: Terminal.standardOutput)
        } else {
            for notice in report.notices { Terminal.say("atticadm: \(notice.escapingControls())") }
            Terminal.put(report.summary + "\n", on: Terminal.standardOutput)
        }
        switch report.outcome {
        case .clean: if !report.isComplete { throw ExitCode(ExitStatus.failed.rawValue) }
        case .repaired: throw ExitCode((report.isComplete ? ExitStatus.repaired : .failed).rawValue)
        case .damaged: throw ExitCode(ExitStatus.damaged.rawValue)
        }
    }
}

/// `50M`: bytes a second.
struct RateArgument: ExpressibleByArgument {
    let bytesPerSecond: Int64

    init?(argument: String) {
        guard let rate = ByteRate(argument) else { return nil }
        bytesPerSecond = rate.bytesPerSecond
    }
}
