import AtticAPI
import NixStore
import Platform

/// Tells the person how a push goes: a bar for what runs, a line for what is done.
struct PushReport: PushObserver {
    let console: Console
    private let sent = Monitor<[PathInfo]>([])

    init(console: Console) { self.console = console }

    /// What was pushed so far.
    var pushedPaths: [PathInfo] { sent.withLock { $0 } }

    func began(_ infos: [PathInfo], slot: Int) {
        let name = infos.count == 1 ? infos[0].path.baseName : "\(infos.count) small paths"
        console.beginBar(slot, name: name, byteCount: infos.reduce(0) { $0 + $1.narSize })
    }

    func moved(_ byteCount: Int64, slot: Int) { console.moveBar(slot, to: byteCount) }

    func pushed(_ paths: [(info: PathInfo, result: UploadPathResult)], slot: Int, elapsed: Duration) {
        sent.withLock { $0 += paths.map(\.info) }
        // Of a request that several share, each path has its part of the time by its bytes.
        let byteCount = paths.reduce(0) { $0 + $1.info.narSize }
        let lines = paths.map { info, result in
            Self.line(info, result, elapsed: elapsed * (Double(info.narSize) / Double(max(byteCount, 1))))
        }
        console.endBar(slot, saying: lines.joined(separator: "\n"))
    }

    func separated(slot: Int) { console.endBar(slot) }

    func failed(_ infos: [PathInfo], slot: Int, _ failure: ClientFailure) {
        console.endBar(slot, saying: infos.map { "❌ \($0.path.baseName): \(failure.message)" }.joined(separator: "\n"))
    }

    func dropped(_ info: PathInfo, because reason: String) {
        console.say("❌ \(info.path.baseName): not pushed, since \(reason)")
    }

    /// `✅ HASH-NAME (52.89 MiB/s)`, `(deduplicated)`, or `(52.89 MiB/s, 40.0% deduplicated)`.
    static func line(_ info: PathInfo, _ result: UploadPathResult, elapsed: Duration) -> String {
        var words: String
        switch result.kind {
        case .deduplicated: words = "deduplicated"
        case .uploaded:
            words = ByteWords.rate(info.narSize, in: elapsed)
            // Less than one in a hundred is chance.
            if let fraction = result.fracDeduplicated, fraction > 0.01 { words += ", \(ByteWords.percent(fraction)) deduplicated" }
        }
        return "✅ \(info.path.baseName) (\(words))"
    }
}
