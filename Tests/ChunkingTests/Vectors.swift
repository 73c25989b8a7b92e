import Crypto
import Encoding
import Platform
import Testing

/// One case of `Vectors/fastcdc-v2020.json`: what is cut, how, and where the cuts must be.
struct Vector: Sendable, CustomTestStringConvertible {
    let source: String
    let sha256: String
    let minimum, average, maximum: Int
    let lengths: [Int]
    let firstHashes: [UInt64]

    var testDescription: String { "\(source), \(minimum)-\(average)-\(maximum)" }

    /// All cases. Empty, which a test notices, where the file cannot be read.
    static let all: [Vector] = {
        guard let bytes = try? File.readAll(path("fastcdc-v2020.json")), let json = try? JSON.parse(bytes) else { return [] }
        return (json.objectValue?["cases"]?.arrayValue ?? []).compactMap(Vector.init)
    }()

    private init?(_ json: JSON) {
        guard let object = json.objectValue, let source = object["source"]?.stringValue,
            let sha256 = object["sha256"]?.stringValue,
            let minimum = object["min"]?.integerValue, let average = object["avg"]?.integerValue,
            let maximum = object["max"]?.integerValue, let lengths = object["lengths"]?.arrayValue,
            let firstHashes = object["first_hashes"]?.arrayValue
        else { return nil }
        self.source = source
        self.sha256 = sha256
        self.minimum = Int(minimum)
        self.average = Int(average)
        self.maximum = Int(maximum)
        self.lengths = lengths.compactMap { $0.integerValue.map { Int($0) } }
        self.firstHashes = firstHashes.compactMap { $0.stringValue.flatMap { UInt64($0) } }
    }

    /// The bytes that the case is about.
    func bytes() throws -> [UInt8] {
        let bytes = try #require(Self.sources[source])
        #expect(SHA256.digest(of: bytes).hex == sha256)
        return bytes
    }

    /// Each source once, as the file's `about` defines it.
    private static let sources: [String: [UInt8]] = [
        "SekienAkashita.jpg": (try? File.readAll(path("SekienAkashita.jpg"))) ?? [],
        "sha256-counter-4MiB": counterDigests(),
        "zeros-1MiB": [UInt8](repeating: 0, count: 1 << 20),
        "text": (0..<60_000).flatMap { Array("line \($0 % 1000) of a repetitive text\n".utf8) },
    ]

    private static func counterDigests() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 << 20)
        var hash = SHA256()
        for counter in 0..<UInt64(131_072) {
            unsafe withUnsafeBytes(of: counter.bigEndian) { unsafe hash.update($0) }
            bytes += hash.finish().bytes
        }
        return bytes
    }

    private static func path(_ name: String, beside file: String = #filePath) -> String {
        File.parent(of: file) + "/Vectors/" + name
    }
}

/// Bytes that look random and are the same on every run.
func randomBytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6364136223846793005 &+ 1442695040888963407
        return UInt8(truncatingIfNeeded: state >> 56)
    }
}
