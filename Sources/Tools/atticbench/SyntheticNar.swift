import Crypto
import Nix

/// A NAR of one file whose bytes come from seeds: as large as one likes, the same each time, nothing on a disk.
///
/// Half of the bytes are noise and half are words, in runs of 2 KiB, so that it compresses about as binaries do; or all
/// noise, where what is stored should be as large as the NAR. Several seeds give that many pieces, one after another,
/// each equal to the contents of that seed alone: a store finds them again.
struct SyntheticNar {
    let seeds: [UInt64]
    /// Bytes of the file.
    let byteCount: Int
    let isNoise: Bool

    /// The base name of the store path that is said to hold it.
    var baseName: String { SyntheticNar.baseName(of: seeds, byteCount) }

    static func baseName(of seeds: [UInt64], _ byteCount: Int) -> String {
        let words = seeds.map(String.init).joined(separator: "-")
        let digest = SHA256.digest(of: Array("synthetic \(words) \(byteCount)".utf8)).base32
        return "\(digest.prefix(32))-synthetic-\(seeds.first ?? 0)"
    }

    /// Makes the NAR, piece by piece.
    func generate<Failure: Error>(_ take: ([UInt8]) throws(Failure) -> Void) throws(Failure) {
        var writer = NarWriter()
        writer.beginFile(byteCount: Int64(byteCount))
        var left = byteCount
        for (index, seed) in seeds.enumerated() {
            var piece = index == seeds.count - 1 ? left : byteCount / seeds.count
            left -= piece
            var source = NoiseSource(seed: seed)
            while piece > 0 {
                let count = min(piece, 256 << 10)
                writer.fileBytes(source.bytes(count, isNoise: isNoise))
                piece -= count
                try take(writer.take())
            }
        }
        writer.endFile()
        try take(writer.take())
    }

    /// Its hash and size.
    func measured() -> (hash: SHA256Digest, byteCount: Int64) {
        var hash = SHA256()
        var size: Int64 = 0
        generate { bytes in
            hash.update(bytes)
            size += Int64(bytes.count)
        }
        return (hash.finish(), size)
    }
}

/// Bytes from a seed (xorshift64*; Marsaglia, "Xorshift RNGs", 2003).
struct NoiseSource {
    private var state: UInt64
    private static let words = Array("the store path refers to lib and share of its own prefix where bin has run out ".utf8)

    init(seed: UInt64) { state = (seed &+ 1) &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }

    /// The next `count` bytes: noise, or runs of noise and words in turn.
    mutating func bytes(_ count: Int, isNoise: Bool) -> [UInt8] {
        let runByteCount = 2048
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + runByteCount)
        while bytes.count < count {
            for _ in 0..<(runByteCount / 8) { unsafe withUnsafeBytes(of: next()) { unsafe bytes.append(contentsOf: $0) } }
            if isNoise { continue }
            let turn = Int(next() % UInt64(NoiseSource.words.count))
            var run = NoiseSource.words[turn...] + NoiseSource.words[..<turn]
            run.append(UInt8(truncatingIfNeeded: next()))
            for _ in 0..<(runByteCount / run.count) { bytes += run }
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}
