import Chunking
import Compression
import Crypto
import Encoding
import Nix

@testable import AtticServer

/// What is pushed: NARs that share bytes in varying degrees, and store paths that each have one of two of them.
struct Pool {
    struct Nar {
        let bytes: [UInt8]
        let hash: SHA256Digest
        /// Of what it is cut into.
        let chunkHashes: Set<SHA256Digest>
        let chunkCount: Int
        /// How plain Nix sends it, and as what.
        let coding: StreamCoding
        let file: [UInt8]
        let fileHash: SHA256Digest

        /// Below the cache.
        var url: String { "nar/\(fileHash.base32).nar\(coding.fileSuffix)" }
    }

    struct Path {
        let storePath: StorePath
        /// Paths before it, by their numbers.
        let references: [Int]
        /// The NARs that it may have, by their numbers.
        let nars: [Int]
    }

    static let narCount = 36
    static let pathCount = 40

    private(set) var nars: [Nar] = []
    private(set) var paths: [Path] = []
    /// Which paths may have a NAR.
    private(set) var pathsOfNar: [[Int]] = []

    init(_ rules: ChunkingRules, _ dice: inout Dice) throws {
        let contents = Pool.contents(&dice)
        for (number, bytes) in contents.enumerated() {
            var writer = NarWriter()
            writer.file(bytes)
            nars.append(try Pool.nar(writer.take(), number, rules))
        }
        pathsOfNar = Array(repeating: [], count: nars.count)
        for number in 0..<Pool.pathCount {
            let name = "path-\(number)"
            let hash = SHA256.digest(of: Array(name.utf8)).bytes.prefix(20)
            var references: Set<Int> = []
            for _ in 0..<dice.pick([0, 0, 1, 2, 3]) where number > 0 { references.insert(dice.below(number)) }
            let variants = dice.chance(70) ? [number % nars.count] : [number % nars.count, dice.below(nars.count)]
            for nar in Set(variants) { pathsOfNar[nar].append(number) }
            paths.append(Path(
                storePath: try StorePath(baseName: "\(NixBase32.encode(Array(hash)))-\(name)"),
                references: references.sorted(), nars: variants))
        }
    }

    private static func contents(_ dice: inout Dice) -> [[UInt8]] {
        let segments = (0..<24).map { number in
            var bytes: [UInt8] = []
            let isText = number % 3 == 0
            for _ in 0..<dice.from(300...4000) { bytes.append(isText ? UInt8(97 + dice.below(4)) : UInt8(truncatingIfNeeded: dice.next())) }
            return bytes
        }
        var all: [[UInt8]] = [[], [7], Array("some text\n".utf8), Array(repeating: 0, count: 9000)]
        while all.count < narCount - 2 {
            var bytes: [UInt8] = []
            switch dice.below(5) {
            case 0:
                // An edit of another.
                bytes = dice.pick(all)
                if !bytes.isEmpty { bytes[dice.below(bytes.count)] ^= 1 }
            case 1:
                // A beginning of another, and more.
                bytes = Array(dice.pick(all).prefix(dice.from(100...9000))) + dice.pick(segments)
            case 2:
                // The same twice.
                bytes = dice.pick(segments)
                bytes += dice.pick(segments) + bytes
            default: for _ in 0..<dice.from(1...6) { bytes += dice.pick(segments) }
            }
            bytes = Array(bytes.prefix(30_000))
            // Each is told from the others by its hash.
            if !all.contains(bytes) { all.append(bytes) }
        }
        // Many chunks; the second has a listing of its own.
        all.append((0..<3).flatMap { _ in segments.flatMap { $0 } }.prefix(90_000) + [1])
        all.append(Array((0..<8).flatMap { _ in segments.flatMap { $0 } }.prefix(270_000)))
        return all
    }

    private static func nar(_ bytes: [UInt8], _ number: Int, _ rules: ChunkingRules) throws -> Nar {
        var hashes: [SHA256Digest] = []
        if rules.isChunked(narSize: Int64(bytes.count)) {
            let cutter = FastCDC(sizes: rules.sizes)
            var start = 0
            while start < bytes.count {
                let rest = bytes[start...]
                let count = unsafe rest.withUnsafeBytes { unsafe cutter.cut($0) }
                hashes.append(SHA256.digest(of: Array(bytes[start..<(start + count)])))
                start += count
            }
        } else {
            hashes = [SHA256.digest(of: bytes)]
        }
        let coding: StreamCoding = [.none, .zstd, .gzip, .xz][number % 4]
        let file = StreamEncoder.encode(bytes, coding, level: coding == .none ? nil : 1)
        return Nar(
            bytes: bytes, hash: SHA256.digest(of: bytes), chunkHashes: Set(hashes), chunkCount: hashes.count, coding: coding,
            file: file, fileHash: SHA256.digest(of: file))
    }
}
