import ArgumentParser
import AtticServer
import Platform

/// `atticadm backup`: copies the server while it serves.
struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copies database, storage and configuration into a new directory, from which atticd can serve.",
        discussion: """
            A server may run meanwhile, and takes pushes; collections wait until the copy is made. Ends with 0 (done), 7 (done, \
            but bytes were missing that rows name) or 1 (there is no whole copy).
            """)

    @OptionGroup var options: ConfigurationOptions

    @Argument(help: ArgumentHelp("A directory that is new or empty.", valueName: "directory"))
    var directory: String

    func run() throws {
        Signals.block()
        let progress = ProgressLine(program: "atticadm", environment: Environment.all)
        let report: Backup.Report
        do {
            let configuration = try Configuration.load(path: options.file, environment: Environment.all)
            report = try Backup.run(configuration, to: directory, log: OperatorLog.make("atticadm")) { moved in
                progress.show(moved)
                if Signals.wait(atMost: .zero) != nil {
                    throw Failure(sentence: "stopped: \(directory) has no whole copy, remove it")
                }
            }
        } catch let failure as Failure {
            progress.clear()
            throw failure
        } catch {
            progress.clear()
            throw Failure(sentence: "\(error)")
        }
        progress.clear()
        for loss in report.losses {
            Terminal.say("atticadm: \(loss.escapingControls()); \"atticadm fsck --repair\" says whose it is")
        }
        Terminal.put("\(report)\n", on: Terminal.standardOutput)
        if !report.losses.isEmpty { throw ExitCode(ExitStatus.damaged.rawValue) }
    }
}
