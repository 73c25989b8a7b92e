import AtticAPI
import Compression
import Crypto
import HTTP
import HTTPServer
import Nix

@testable import AtticServer

/// A store path as plain Nix sends it: its NAR in a file, compressed somehow, and a narinfo that says so.
struct PlainPush {
    let path: TestPath
    let coding: StreamCoding
    let file: [UInt8]
    var fileHash: SHA256Digest { SHA256.digest(of: file) }
    /// Below the cache: `nar/….nar.xz`.
    var url: String { "nar/\(fileHash.base32).nar\(coding.fileSuffix)" }
    var narInfoURL: String { "\(path.storePath.hash).narinfo" }

    init(_ path: TestPath, _ coding: StreamCoding, level: Int32? = nil) {
        self.path = path
        self.coding = coding
        file = StreamEncoder.encode(path.nar, coding, level: level)
    }

    /// The narinfo's lines, in Nix's order; `changes` replaces lines by their names, with nil leaves them out, and adds others.
    func narInfo(_ changes: [(String, String?)] = []) -> [UInt8] {
        var lines: [(String, String)] = [
            ("StorePath", path.storePath.absolute()), ("URL", url), ("Compression", coding.rawValue),
            ("FileHash", NixHash(fileHash).typedBase32), ("FileSize", String(file.count)),
            ("NarHash", NixHash(SHA256.digest(of: path.nar)).typedBase32), ("NarSize", String(path.nar.count)),
            ("References", path.references.map(\.baseName).joined(separator: " ")),
        ]
        lines += path.signatures.map { ("Sig", $0) }
        for (name, value) in changes {
            let index = lines.firstIndex { $0.0 == name }
            if let index { lines.remove(at: index) }
            if let value { lines.insert((name, value), at: index ?? lines.count) }
        }
        return Array(lines.map { "\($0): \($1)\n" }.joined().utf8)
    }
}

extension Fixture {
    func putNar(_ push: PlainPush, to cache: CacheName, token: String? = nil) throws -> Response {
        try put("/\(cache)/\(push.url)", push.file, token: token)
    }

    func putNarInfo(
        _ push: PlainPush, to cache: CacheName, token: String? = nil, _ changes: [(String, String?)] = []
    ) throws -> Response {
        try put("/\(cache)/\(push.narInfoURL)", push.narInfo(changes), token: token)
    }

    func status(_ method: String, _ url: String, token: String? = nil) throws -> Int {
        Int(try send(method, url, token: token ?? root()).status.code)
    }
}
