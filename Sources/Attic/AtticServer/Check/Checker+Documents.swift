import Compression
import Database

extension Checker {
    /// Build logs: whether each has its body, and, where contents are read, whether that can be.
    func checkBuildLogs() throws {
        var last: Int64 = 0
        while true {
            try step(CheckProgress("build logs", done: last))
            let after = last
            let logs = try read { session throws(DatabaseError) in
                try session.buildLogs(after: after, limit: Checker.rowsMax)
            }
            guard let end = logs.last?.id else { return }
            for log in logs where try !log.hasBody || options.verifiesContent && !isReadable(log) {
                let cache = try read { session throws(DatabaseError) in try session.cacheWord(log.cacheID) }
                let what = "the build log \(log.name) in \(cache) \(log.hasBody ? "cannot be read" : "has no body")"
                take(Finding(.buildLog, what, remedy: "remove it, so that it can be pushed again")) {
                    try write { session throws(DatabaseError) in try session.removeBuildLog(log.id) }
                    return .done()
                }
            }
            last = end
        }
    }

    private func isReadable(_ log: BuildLogRow) throws -> Bool {
        try step(CheckProgress("build logs", done: log.id))
        // One statement reads both: a log that is put again meanwhile is another whole one. One that went is nobody's.
        guard let found = try read({ session throws(DatabaseError) in try session.buildLog(log.id) }) else { return true }
        guard found.byteCount >= 0, let byteCountMax = Int(exactly: found.byteCount) else { return false }
        let text = try? StreamDecoder.decode(found.body, .zstd, outputByteCountMax: byteCountMax)
        return text?.count == byteCountMax
    }
}
