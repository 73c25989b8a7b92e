import ArgumentParser
import Chunking
import Compression
import Crypto
import Glibc
import Platform

/// `atticbench stages FILE…`: what each step of taking in the NARs in these files costs alone, one after another on one core. No
/// server can take in new data for less.
struct StagesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stages",
        abstract: "Prints the seconds of processor time that the steps of taking in NARs cost alone.",
        discussion: "One line: SHA-256 of the NARs, cut points, SHA-256 of the chunks, compression of the distinct, SHA-256 of the stored files.")

    @Option(help: "The level of zstd.") var level: Int32 = 1
    @Argument(help: "Files that hold a NAR each.") var files: [String]

    private struct Seconds {
        var narHash = 0.0, cut = 0.0, chunkHash = 0.0, compress = 0.0, fileHash = 0.0
    }

    func run() throws {
        let cutter = FastCDC(sizes: try ChunkSizes(minimum: 16 << 10, average: 64 << 10, maximum: 256 << 10))
        let compressor = Compressor(.zstd, level: level)
        var seconds = Seconds()
        var frames: [SHA256Digest: [UInt8]] = [:]
        for file in files {
            let nar = try File.readAll(file, byteCountMax: 4 << 30)
            var chunks: [Range<Int>] = []
            var hashes: [SHA256Digest] = []
            unsafe nar.withUnsafeBytes { bytes in
                seconds.narHash += Self.processorSeconds { _ = unsafe SHA256.digest(of: bytes) }
                seconds.cut += Self.processorSeconds {
                    var start = 0
                    while start < bytes.count {
                        let end = unsafe start + cutter.cut(UnsafeRawBufferPointer(rebasing: bytes[start...]))
                        chunks.append(start..<end)
                        start = end
                    }
                }
                seconds.chunkHash += Self.processorSeconds {
                    var hash = SHA256()
                    for chunk in chunks {
                        unsafe hash.update(UnsafeRawBufferPointer(rebasing: bytes[chunk]))
                        hashes.append(hash.finish())
                    }
                }
                seconds.compress += Self.processorSeconds {
                    for (chunk, hash) in zip(chunks, hashes) where frames[hash] == nil {
                        frames[hash] = unsafe compressor.compress(UnsafeRawBufferPointer(rebasing: bytes[chunk]))
                    }
                }
            }
            seconds.fileHash += Self.processorSeconds {
                var hash = SHA256()
                for chunk in hashes { if let frame = frames[chunk] { hash.update(frame) } }
                _ = hash.finish()
            }
        }
        let all = [seconds.narHash, seconds.cut, seconds.chunkHash, seconds.compress, seconds.fileHash]
        print(all.map { String(Double(Int($0 * 1000)) / 1000) }.joined(separator: " "))
    }

    /// The processor time that this process spends in `body`.
    private static func processorSeconds(_ body: () -> Void) -> Double {
        func now() -> Double {
            var time = timespec()
            unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        body()
        return now() - start
    }
}
