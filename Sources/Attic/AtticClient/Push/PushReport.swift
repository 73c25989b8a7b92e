import AtticAPI
import NixStore
import Platform

/// Tells the person how a push goes: a bar for what runs, a line for what is done.
struct PushReport: PushObserver {
    let console: Console

    func began(_ info: PathInfo, slot: Int) {
        console.beginBar(slot, name: info.path.baseName, byteCount: info.narSize)
    }

    func moved(_ byteCount: Int64, slot: Int) { console.moveBar(slot, to: byteCount) }

    func pushed(_ info: PathInfo, slot: Int, _ result: UploadPathResult, elapsed: Duration) {
        console.endBar(slot, saying: Self.line(info, result, elapsed: elapsed))
    }

    func failed(_ info: PathInfo, slot: Int, _ failure: ClientFailure) {
        console.endBar(slot, saying: "❌ \(info.path.baseName): \(failure.message)")
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
