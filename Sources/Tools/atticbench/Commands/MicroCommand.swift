import ArgumentParser

/// `atticbench micro NAME`: one hot loop, so often, for an instruction counter around it.
///
/// Run it under callgrind with two counts; the difference divided by the difference of the counts is the cost of one
/// round, without start-up and preparation. Wall-clock time on a shared machine says less.
struct MicroCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "micro",
        abstract: "Runs one hot loop a number of rounds.",
        discussion: "Prints what a round works on (units and their name), and a sum that keeps the work from being optimized away.")

    @Argument(help: ArgumentHelp("One of \(MicroSuite.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "name"))
    var suite: MicroSuite

    @Option(help: "How often.") var rounds = 1

    func run() throws {
        let (units, unitName, sum) = try suite.run(rounds: rounds)
        print(units, unitName, sum)
    }
}

extension MicroSuite: ExpressibleByArgument {}
