/// One measure over several pairs: what the reference took, what the subject took, and the ratios of each pair.
///
/// Ratios are made pair by pair, because the machine drifts between pairs more than within one, and only then is their
/// median taken.
struct Comparison {
    let measure: String
    let unit: String
    let wanted: Wanted
    /// Empty where the measure has no reference.
    private(set) var references: [Double] = []
    private(set) var subjects: [Double] = []

    /// Reads rows `measure TAB unit TAB wanted TAB reference TAB subject`, one pair each; `-` for no reference. Rows of the
    /// same measure belong together; the measures keep the order in which they come first.
    ///
    /// - Throws: `BenchFailure` with the line that is wrong.
    static func read(_ text: String) throws(BenchFailure) -> [Comparison] {
        var comparisons: [Comparison] = []
        for (index, line) in text.split(separator: "\n").enumerated() {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 5, let wanted = Wanted(fields[2]), let subject = Double(fields[4]),
                fields[3] == "-" || Double(fields[3]) != nil
            else { throw BenchFailure("row \(index + 1) is not measure, unit, wanted, reference, subject: \(line)") }
            if !comparisons.contains(where: { $0.measure == fields[0] }) {
                comparisons.append(Comparison(measure: fields[0], unit: fields[1], wanted: wanted))
            }
            guard let place = comparisons.firstIndex(where: { $0.measure == fields[0] }) else { continue }
            comparisons[place].subjects.append(subject)
            if let reference = Double(fields[3]) { comparisons[place].references.append(reference) }
        }
        return comparisons
    }

    private init(measure: String, unit: String, wanted: Wanted) {
        self.measure = measure
        self.unit = unit
        self.wanted = wanted
    }

    /// Subject to reference, pair by pair.
    var ratios: [Double] { zip(subjects, references).map { $1 == 0 ? 0 : $0 / $1 } }

    /// The row of a Markdown table.
    var row: String {
        let ratio = references.isEmpty ? "" : Spread(ratios)?.text ?? ""
        let reference = Spread(references)?.text ?? ""
        let subject = Spread(subjects)?.text ?? ""
        return "| \(measure) | \(unit) | \(reference) | \(subject) | \(ratio) | \(wanted.text) | \(verdict) |"
    }

    static let heading = """
        | measure | unit | reference | tetryx | ratio | wanted | reached |
        |---|---|---:|---:|---:|---|---|
        """

    private var verdict: String {
        let value = wanted.isAbsolute ? Spread(subjects)?.median : Spread(ratios)?.median
        guard let value, let isReached = wanted.isReached(by: value) else { return "" }
        return isReached ? "yes" : "**no**"
    }
}

/// What a measure should come to: `>= 1.0` and `<= 0.25` are of the ratio, `abs <= 300` of the subject alone, `-` nothing.
struct Wanted {
    let text: String
    let isAbsolute: Bool
    private let bound: Double?
    private let isLowerBound: Bool

    init?(_ text: String) {
        var words = text.split(separator: " ")
        isAbsolute = words.first == "abs"
        if isAbsolute { words.removeFirst() }
        if words == ["-"] {
            (self.text, bound, isLowerBound) = ("", nil, false)
            return
        }
        guard words.count == 2, words[0] == ">=" || words[0] == "<=", let bound = Double(words[1]) else { return nil }
        isLowerBound = words[0] == ">="
        self.bound = bound
        self.text = "\(isLowerBound ? "≥" : "≤") \(words[1])\(isAbsolute ? "" : " ×")"
    }

    func isReached(by value: Double) -> Bool? {
        bound.map { isLowerBound ? value >= $0 : value <= $0 }
    }
}

/// Median, least and most of some figures.
struct Spread {
    let median, least, most: Double

    /// Nil of no figures.
    init?(_ figures: [Double]) {
        let sorted = figures.sorted()
        guard let first = sorted.first, let last = sorted.last else { return nil }
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        (least, most) = (first, last)
    }

    /// `1.23 (1.10–1.40)`; the median alone where all are equal.
    var text: String {
        let median = Spread.figure(median)
        return least == most ? median : "\(median) (\(Spread.figure(least))–\(Spread.figure(most)))"
    }

    /// Three digits that count, thousands apart by commas.
    static func figure(_ value: Double) -> String {
        let digits = value.magnitude >= 100 ? 0 : value.magnitude >= 10 ? 1 : value.magnitude >= 1 ? 2 : 3
        let scale = [1, 10, 100, 1000][digits]
        let scaled = Int64((value * Double(scale)).rounded())
        let whole = String(scaled.magnitude / UInt64(scale))
        var grouped = ""
        for (index, digit) in whole.enumerated() {
            if index > 0 && (whole.count - index) % 3 == 0 { grouped.append(",") }
            grouped.append(digit)
        }
        let sign = scaled < 0 ? "-" : ""
        if digits == 0 { return sign + grouped }
        let fraction = String(scaled.magnitude % UInt64(scale))
        return "\(sign)\(grouped).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
    }
}
