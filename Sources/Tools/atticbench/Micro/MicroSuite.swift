import AtticAPI
import Chunking
import Crypto
import Encoding
import HTTP
import Nix

/// The hot loops that are counted, each on an input of its own.
enum MicroSuite: String, CaseIterable {
    case requestHead = "request-head"
    case fastCDC = "fastcdc"
    case narReader = "nar-reader"
    case narInfo = "narinfo"
    case base32
    case jsonParse = "json-parse"
    case jsonWrite = "json-write"
    case tokenVerify = "token-verify"

    /// What one round works on, and a sum over what came out.
    typealias Outcome = (units: Int, unitName: String, sum: Int)

    func run(rounds: Int) throws -> Outcome {
        switch self {
        case .requestHead: try Self.requestHead(rounds)
        case .fastCDC: try Self.fastCDC(rounds)
        case .narReader: try Self.narReader(rounds)
        case .narInfo: try Self.narInfo(rounds)
        case .base32: Self.base32(rounds)
        case .jsonParse: try Self.jsonParse(rounds)
        case .jsonWrite: try Self.jsonWrite(rounds)
        case .tokenVerify: try Self.tokenVerify(rounds)
        }
    }

    /// A narinfo request as Nix sends it, token and all, read as a loop reads it.
    private static func requestHead(_ rounds: Int) throws -> Outcome {
        let token = String(repeating: "eyJ0eXAiOiJKV1Qi", count: 14)
        let text = "GET /hello/3qhwxfg5wi7h6k8v5pi1p1sw2jpxx5f9.narinfo HTTP/1.1\r\nHost: cache.example.org\r\n"
            + "User-Agent: curl/7.88.1 Nix/2.8.0\r\nAccept: */*\r\nAccept-Encoding: deflate, gzip, br, zstd\r\n"
            + "Authorization: Basic \(token)\r\n\r\n"
        let bytes = Array(text.utf8)
        var parser = RequestParser(limits: .standard)
        var space = HeadSpace()
        var sum = 0
        for _ in 0..<rounds {
            let outcome = try unsafe bytes.span.withUnsafeBytes { buffer throws(ParseError) in
                try unsafe parser.parse(buffer, space: &space)
            }
            if case .head(let head, let count) = outcome { sum += unsafe count + head.withPath { $0.count } }
        }
        return (1, "head of \(bytes.count) bytes", sum)
    }

    private static func fastCDC(_ rounds: Int) throws -> Outcome {
        var source = NoiseSource(seed: 7)
        let bytes = source.bytes(4 << 20, isNoise: false)
        let cutter = FastCDC(sizes: try ChunkSizes(minimum: 16 << 10, average: 64 << 10, maximum: 256 << 10))
        var sum = 0
        for _ in 0..<rounds {
            unsafe bytes.span.withUnsafeBytes { buffer in
                var rest = unsafe buffer
                while rest.count > 0 {
                    unsafe rest = UnsafeRawBufferPointer(rebasing: rest[cutter.cut(rest)...])
                    sum += 1
                }
            }
        }
        return (bytes.count, "bytes", sum)
    }

    /// Two hundred directories of ten files of 600 bytes, as a tree of sources has them.
    private static func narReader(_ rounds: Int) throws -> Outcome {
        var source = NoiseSource(seed: 8)
        var writer = NarWriter()
        writer.beginDirectory()
        for directory in 100..<300 {
            writer.entry(name: "directory-\(directory)")
            writer.beginDirectory()
            for file in 0..<10 {
                writer.entry(name: "file-\(file).txt")
                writer.file(source.bytes(600, isNoise: false))
            }
            writer.endDirectory()
        }
        writer.endDirectory()
        let bytes = writer.take()
        var sum = 0
        for _ in 0..<rounds {
            var reader = NarReader()
            var position = 0
            while try reader.next(in: bytes, at: &position) != nil { sum += 1 }
            try reader.finish()
        }
        return (2000, "files", sum)
    }

    private static func narInfo(_ rounds: Int) throws -> Outcome {
        let names = (0..<8).map { "\(SHA256.digest(of: [UInt8($0)]).base32.prefix(32))-dependency-\($0)-1.2.3" }
        let digest = SHA256.digest(of: [1, 2, 3])
        let info = try NarInfo(
            storePath: StorePath(baseName: names[0]), url: "nar/\(digest.base32).nar.zst", compression: "zstd",
            fileHash: digest, fileSize: 123_456, narHash: digest, narSize: 456_789, references: names, deriver: names[1],
            signatures: ["hello:" + Base64.encode([UInt8](repeating: 7, count: 64))])
        var sum = 0
        for _ in 0..<rounds { sum += info.rendered().count }
        return (1, "narinfo with \(names.count) references", sum)
    }

    private static func base32(_ rounds: Int) -> Outcome {
        let digest = SHA256.digest(of: [9])
        var sum = 0
        for _ in 0..<rounds { sum += NixBase32.encode(digest.bytes).utf8.count }
        return (1, "digest of 32 bytes", sum)
    }

    private static func jsonParse(_ rounds: Int) throws -> Outcome {
        let request = try missingPathsRequest().json()
        var sum = 0
        for _ in 0..<rounds { sum += try MissingPathsRequest(json: request).storePathHashes.count }
        return (hashCount, "hashes in a request for missing paths", sum)
    }

    private static func jsonWrite(_ rounds: Int) throws -> Outcome {
        let response = MissingPathsResponse(missingPaths: try missingPathsRequest().storePathHashes)
        var sum = 0
        for _ in 0..<rounds { sum += response.json().count }
        return (hashCount, "hashes in an answer", sum)
    }

    private static let hashCount = 100_000

    private static func missingPathsRequest() throws -> MissingPathsRequest {
        guard let cache = CacheName("hello") else { throw BenchFailure("hello is no name of a cache") }
        var source = NoiseSource(seed: 9)
        let hashes = (0..<hashCount).compactMap { _ in
            StorePathHash(NixBase32.encode(source.bytes(20, isNoise: true)))
        }
        return MissingPathsRequest(cache: cache, storePathHashes: hashes)
    }

    private static func tokenVerify(_ rounds: Int) throws -> Outcome {
        let secret = [UInt8](repeating: 5, count: 64)
        let key = TokenKey.hs256(secret: secret)
        guard let pattern = CacheNamePattern("hello-*") else { throw BenchFailure("hello-* is no pattern") }
        let token = Token(subject: "bench", expirySeconds: 4_000_000_000, caches: [(pattern, [.pull, .push])])
        let text = token.signed(with: .hs256(secret: secret))
        let rules = TokenRules(issuer: nil, audiences: [])
        var sum = 0
        for _ in 0..<rounds {
            sum += try Token.verify(text, with: key, nowSeconds: 1_000_000_000, rules: rules).caches.count
        }
        return (1, "token of \(text.utf8.count) bytes", sum)
    }
}
