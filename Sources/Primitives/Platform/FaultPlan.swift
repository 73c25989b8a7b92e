import Glibc

/// Which faults happen where, and when.
///
///     plan    = rule *( "," rule ) [ ",seed=" number ]
///     rule    = site [ "#" number | "%" number ] "=" action
///     action  = "kill" | "short" | the name of an error number, as ENOSPC
///
/// `sync#3=kill`: at the third `sync` of this process. `write%2=EIO`: at two of a hundred, by dice that the seed throws.
/// Without either: at every one. `short` lets a write take half of its bytes.
package final class FaultPlan: Sendable {
    enum Action: Hashable, Sendable { case kill, short, fail(Errno) }

    enum Moment: Hashable, Sendable {
        case always
        /// Counted from 1.
        case nth(Int)
        case ofHundred(Int)
    }

    struct Rule: Hashable, Sendable {
        let site: String
        let moment: Moment
        let action: Action
    }

    private struct State {
        var counts: [String: Int] = [:]
        var dice: UInt64
    }

    let rules: [Rule]
    private let state: Monitor<State>

    private static let errors: [String: Errno] = [
        "ENOSPC": .noSpace, "EDQUOT": .quotaExceeded, "EIO": .inputOutput, "EMFILE": .tooManyFiles, "ENFILE": .tooManyFilesInSystem,
        "EROFS": .readOnlyFileSystem, "EACCES": .accessDenied, "ENOENT": .noSuchFile, "EOPNOTSUPP": .notSupported,
    ]

    /// - Returns: nil where the text is no plan.
    package init?(_ text: String) {
        var rules: [Rule] = []
        var seed: UInt64 = 1
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            guard sides.count == 2, !sides[0].isEmpty else { return nil }
            if sides[0] == "seed" {
                guard let number = UInt64(sides[1]) else { return nil }
                seed = number
                continue
            }
            guard let (site, moment) = Self.place(sides[0]), let action = Self.action(sides[1]) else { return nil }
            rules.append(Rule(site: site, moment: moment, action: action))
        }
        self.rules = rules
        state = Monitor(State(dice: seed))
    }

    private static func place(_ text: String) -> (String, Moment)? {
        for (mark, moment) in [("#", Moment.nth), ("%", Moment.ofHundred)] {
            let parts = text.split(separator: Character(mark), omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else { continue }
            guard let number = Int(parts[1]), number > 0, !parts[0].isEmpty else { return nil }
            return (parts[0], moment(number))
        }
        return (text, .always)
    }

    private static func action(_ text: String) -> Action? {
        switch text {
        case "kill": .kill
        case "short": .short
        default: errors[text].map { .fail($0) }
        }
    }

    /// What is to happen at this arrival at a site.
    func action(at site: FaultSite) -> Action? {
        guard rules.contains(where: { $0.site == site.name }) else { return nil }
        return state.withLock { state in
            let count = state.counts[site.name, default: 0] + 1
            state.counts[site.name] = count
            for rule in rules where rule.site == site.name {
                let isNow = switch rule.moment {
                case .always: true
                case .nth(let number): number == count
                case .ofHundred(let part): Self.roll(&state.dice) % 100 < part
                }
                if isNow { return rule.action }
            }
            return nil
        }
    }

    /// Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014 (splitmix64).
    private static func roll(_ dice: inout UInt64) -> Int {
        dice &+= 0x9e37_79b9_7f4a_7c15
        var mixed = dice
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return Int(truncatingIfNeeded: (mixed ^ mixed >> 31) >> 1)
    }

    func reach(_ site: FaultSite) throws(Errno) { _ = try limit(site, 1) }

    /// The bytes that a write at the site takes.
    func limit(_ site: FaultSite, _ byteCount: Int) throws(Errno) -> Int {
        switch action(at: site) {
        case nil: return byteCount
        case .short: return max(1, byteCount / 2)
        case .fail(let errno): throw errno
        case .kill:
            // As a power cut does to a process: nothing of it runs any more, not even this.
            Glibc.kill(getpid(), SIGKILL)
            while true { pause() }
        }
    }
}
