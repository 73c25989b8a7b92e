import ArgumentParser
import Chunking
import Compression
import Crypto
import Glibc
import Platform

/// `atticbench ideal FILE…`: what the NARs in these files come to where each chunk is kept once and nothing else is.
struct IdealCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ideal",
        abstract: "Prints the bytes of NARs, of their distinct chunks, and of those compressed.",
        discussion: "One line: NAR bytes, chunks, distinct chunks, their bytes, their bytes as zstd frames.")

    @Option(help: "The level of zstd.") var level: Int32 = 1
    @Argument(help: "Files that hold a NAR each.") var files: [String]

    func run() throws {
        let sizes = try ChunkSizes(minimum: 16 << 10, average: 64 << 10, maximum: 256 << 10)
        let cutter = FastCDC(sizes: sizes)
        let compressor = Compressor(.zstd, level: level)
        var seen: Set<SHA256Digest> = []
        var (narBytes, chunkCount, distinctBytes, storedBytes) = (0, 0, 0, 0)
        for file in files {
            let nar = try File.readAll(file, byteCountMax: 4 << 30)
            var start = 0
            while start < nar.count {
                unsafe nar.withUnsafeBytes { bytes in
                    let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[start...])
                    let chunk = unsafe UnsafeRawBufferPointer(rebasing: rest.prefix(cutter.cut(rest)))
                    start += chunk.count
                    chunkCount += 1
                    guard unsafe seen.insert(SHA256.digest(of: chunk)).inserted else { return }
                    distinctBytes += chunk.count
                    storedBytes += unsafe compressor.compress(chunk).count
                }
            }
            narBytes += nar.count
        }
        print(narBytes, chunkCount, seen.count, distinctBytes, storedBytes)
    }
}
