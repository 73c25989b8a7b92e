import Encoding

/// What a check looked at, found and did.
package struct CheckReport: Sendable {
    /// How it ended, as the exit code says it.
    package enum Outcome: String, Sendable {
        /// Nothing was found.
        case clean
        /// All that was found is put right: another check would find nothing.
        case repaired
        /// Something that was found is left: nothing was to be repaired, or paths must be pushed again.
        case damaged
    }

    /// What was looked at.
    package struct Counts: Sendable, Hashable {
        package var packs: Int64 = 0
        package var nars: Int64 = 0
        package var objects: Int64 = 0
        package var chunks: Int64 = 0
        /// NARs that were read and hashed, and the stored bytes that this read.
        package var verifiedNars: Int64 = 0
        package var verifiedBytes: Int64 = 0
    }

    package var counts = Counts()
    /// As many as `findingsMax`.
    package private(set) var findings: [Finding] = []
    package private(set) var findingCount = 0
    package private(set) var unrepairedCount = 0
    /// What is not damage and may yet matter: sentences.
    package internal(set) var notices: [String] = []
    /// Where contents were read up to, when the check was stopped before their end: `--from` goes on there.
    package internal(set) var next: Int64?
    /// Whether all was looked at that was to be: a check that was stopped says nothing of the rest.
    package internal(set) var isComplete = true

    /// Findings that are kept, about a kilobyte each; those beyond are told as they are found, and counted.
    package static let findingsMax = 10_000

    mutating func add(_ finding: Finding) {
        findingCount += 1
        if finding.state != .repaired { unrepairedCount += 1 }
        if findings.count < CheckReport.findingsMax { findings.append(finding) }
    }

    package var outcome: Outcome {
        findingCount == 0 ? .clean : unrepairedCount == 0 ? .repaired : .damaged
    }

    /// The last line for people.
    package var summary: String {
        func count(_ number: Int64, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }
        var text = "checked \(count(counts.packs, "pack")), \(count(counts.chunks, "chunk")), \(count(counts.nars, "NAR")) and \(count(counts.objects, "object"))"
        if counts.verifiedNars > 0 { text += "; read \(count(counts.verifiedNars, "NAR")), \(counts.verifiedBytes) bytes" }
        switch outcome {
        case .clean: text += isComplete ? ": clean" : ": nothing found so far"
        case .repaired: text += ": \(count(Int64(findingCount), "finding")), all repaired"
        case .damaged: text += ": \(count(Int64(findingCount), "finding")), \(unrepairedCount) left"
        }
        if let next {
            text += "; stopped before the end: go on with --verify-content --from \(next)"
        } else if !isComplete {
            text += "; stopped before the end"
        }
        return text
    }

    /// The object of `--json`; docs/operations.md describes it.
    package var json: String {
        JSON.object([
            "outcome": .string(outcome.rawValue),
            "findings": .array(findings.map(\.json)),
            "finding_count": .integer(Int64(findingCount)),
            "left_count": .integer(Int64(unrepairedCount)),
            "notices": .array(notices.map { .string($0) }),
            "checked": .object([
                "packs": .integer(counts.packs), "chunks": .integer(counts.chunks), "nars": .integer(counts.nars),
                "objects": .integer(counts.objects), "verified_nars": .integer(counts.verifiedNars),
                "verified_bytes": .integer(counts.verifiedBytes),
            ]),
            "complete": .bool(isComplete),
            "next": next.map { .integer($0) } ?? .null,
        ]).serialized()
    }
}
