import ArgumentParser
import AtticAPI
import Nix

/// `atticbench nar`: a made-up NAR on standard output, or its description for an upload.
struct NarCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nar",
        abstract: "Writes a NAR of one made-up file, the same for the same seeds and size.",
        discussion: "With --info it writes the JSON that an upload to that cache announces it by, in one line.")

    @Option(help: ArgumentHelp("Numbers, separated by commas: a piece of the file each.", valueName: "seeds"))
    var seed = "1"

    @Option(help: ArgumentHelp("Bytes of the file.", valueName: "bytes"))
    var size: Int

    @Flag(help: "Noise only, which nothing compresses.")
    var noise = false

    @Option(help: ArgumentHelp("Write the description instead, for this cache.", valueName: "cache"))
    var info: String?

    @Flag(help: "Refer to the paths of the four seeds before, of the same size.")
    var references = false

    func validate() throws {
        if seeds.isEmpty { throw ValidationError("--seed takes numbers, separated by commas.") }
        if size < 1 { throw ValidationError("--size is above zero.") }
    }

    func run() throws {
        let nar = SyntheticNar(seeds: seeds, byteCount: size, isNoise: noise)
        guard let info else {
            return try nar.generate { bytes throws(BenchFailure) in
                try unsafe bytes.span.withUnsafeBytes { buffer throws(BenchFailure) in try unsafe StandardStream.write(buffer) }
            }
        }
        guard let cache = CacheName(info) else { throw BenchFailure("\(info) is no name of a cache") }
        let path = try StorePath(baseName: nar.baseName)
        let (hash, byteCount) = nar.measured()
        let named = references && seeds[0] > 4 ? try (1...4).map { back in
            try StorePath(baseName: SyntheticNar.baseName(of: [seeds[0] - back], size))
        } : []
        let description = UploadPathNarInfo(
            cache: cache, storePathHash: path.hash, storePath: "\(StorePath.defaultStoreDirectory)/\(path.baseName)",
            references: named, system: "x86_64-linux", narHash: hash, narSize: byteCount)
        print(String(decoding: description.json(), as: UTF8.self))
    }

    private var seeds: [UInt64] { seed.split(separator: ",").compactMap { UInt64($0) } }
}
