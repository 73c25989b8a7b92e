import Database
import Logging
import Platform
import Storage
import Support

@testable import AtticServer

/// Packs as files of a directory.
final class LocalDirectory: SimulatedStorage {
    private let directory: TemporaryDirectory
    private var root: String { directory.file("storage") }

    /// A pack is full soon, so that there are many.
    private static let sealByteCount: Int64 = 40_000

    init() throws { directory = try TemporaryDirectory() }

    var settings: String { "type = \"local\"\npath = \"\(root)\"" }

    func open(
        _ configuration: Configuration, _ catalog: Catalog, _ stage: Stage, _ time: TimeSource, log: Logger
    ) throws -> any ChunkStore {
        let store = try LocalChunkStore(
            path: root, sealByteCount: LocalDirectory.sealByteCount, openFilesMax: 4, log: log
        ) { stage.nextPack() }
        try Opening.recover(store, catalog, log: log)
        return store
    }

    // MARK: Crash

    func crashed(isPowerCut: Bool, _ dice: inout Dice, _ stage: Stage) throws -> any SimulatedStorage {
        let other = try LocalDirectory()
        var synced: (byteCounts: [String: Int64], names: [String: Set<String>]) = ([:], [:])
        for name in (try? Directory.names(root)) ?? [] where name != "packs" {
            try other.directory.write("storage/\(name)", LocalDirectory.bytes("\(root)/\(name)"))
        }
        let packs = "\(root)/packs"
        guard File.exists(packs) else { return other }
        try Directory.make(other.directory.file("storage/packs"), permissions: 0o700)
        for shard in try Directory.names(packs) {
            if isPowerCut && !stage.syncedNames(packs).contains(shard) { continue }
            let here = "storage/packs/\(shard)"
            try Directory.make(other.directory.file(here), permissions: 0o700)
            var names: Set<String> = []
            for name in try Directory.names("\(packs)/\(shard)") {
                if isPowerCut && !stage.syncedNames("\(packs)/\(shard)").contains(name) { continue }
                var bytes = try LocalDirectory.bytes("\(packs)/\(shard)/\(name)")
                if isPowerCut { LocalDirectory.cut(&bytes, to: stage.syncedByteCount("\(packs)/\(shard)/\(name)") ?? 0, &dice) }
                try other.directory.write("\(here)/\(name)", bytes)
                synced.byteCounts[other.directory.file("\(here)/\(name)")] = Int64(bytes.count)
                names.insert(name)
            }
            synced.names[other.directory.file(here)] = names
            synced.names[other.directory.file("storage/packs"), default: []].insert(shard)
        }
        stage.setSynced(synced.byteCounts, synced.names)
        return other
    }

    /// What was not synced is gone, or is there by its length only.
    private static func cut(_ bytes: inout [UInt8], to byteCount: Int64, _ dice: inout Dice) {
        guard byteCount < bytes.count else { return }
        let isCut = dice.chance(50)
        let length = bytes.count
        bytes.removeLast(bytes.count - Int(byteCount))
        if !isCut { bytes += Array(repeating: 0, count: length - bytes.count) }
    }

    /// All of a file, at once: some are large, and this is what most of the time would go to.
    static func bytes(_ path: String) throws -> [UInt8] {
        let file = try File.open(path, .read)
        let count = Int(try file.status().byteCount)
        return try [UInt8](capacity: count) { output throws(Errno) in
            try unsafe output.withUnsafeMutableBufferPointer { buffer, count throws(Errno) in
                count = try unsafe file.readFully(at: 0, into: UnsafeMutableRawBufferPointer(buffer))
            }
        }
    }

    // MARK: What lies there

    func strayBytes(beside living: [String: [Range<Int64>]]) throws -> String? {
        let packs = "\(root)/packs"
        for shard in try Directory.names(packs) {
            for file in try Directory.names("\(packs)/\(shard)") {
                let name = String(file.prefix(32))
                guard let ranges = living[name] else { return "no chunk lies in the file \(file)" }
                let bytes = try LocalDirectory.bytes("\(packs)/\(shard)/\(file)")
                var end = 0
                for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) + [Int64(bytes.count)..<Int64(bytes.count)] {
                    guard range.lowerBound >= end, range.upperBound <= bytes.count else {
                        return "chunks of \(file) overlap, or lie beyond its \(bytes.count) bytes"
                    }
                    if let stray = bytes[end..<Int(range.lowerBound)].firstIndex(where: { $0 != 0 }) {
                        return "byte \(stray) of \(file), of \(bytes.count), belongs to no chunk and was not given back"
                    }
                    end = Int(range.upperBound)
                }
            }
        }
        return nil
    }
}
