import AtticAPI
import Crypto
import Encoding
import HTTPServer
import Nix
import Testing

@testable import AtticServer

/// An answer as a client sees it, to be compared with another.
private func seen(_ response: Response) -> String {
    let headers = response.headers.map { "\($0.0): \($0.1)\n" }.joined()
    return "\(response.status.code)\n\(headers)\n\(response.text)"
}

@Suite("What one cache tells of another")
struct CrossCacheTests {
    private let secret: TestPath
    /// Has half of its bytes in common with the secret one.
    private let akin: TestPath

    init() throws {
        secret = try TestPath("secret", seeds: [1, 2], byteCount: 400_000)
        akin = try TestPath("akin", seeds: [1, 3], byteCount: 400_000)
    }

    /// A server with a cache of others, private, which has the secret or has nothing; and what it answers to somebody who may
    /// do everything with a cache of their own, and asks for the secret by all that it goes by.
    private func answers(holdingSecret isHeld: Bool, fileHash: SHA256Digest, token grants: [(String, Permissions)]) throws -> [String] {
        let fixture = try Fixture()
        let theirs = try fixture.makeCache("theirs")
        let mine = try fixture.makeCache("mine")
        if isHeld { #expect(try fixture.push(secret, to: theirs).status == .ok) }
        let token = try fixture.token(grants)
        let hash = secret.storePath.hash
        let narHash = SHA256.digest(of: secret.nar)
        func upload(_ name: String, _ nar: [UInt8], size: Int? = nil) throws -> Response {
            let path = TestPath(storePath: try TestPath(name, seeds: [9], byteCount: 8).storePath, nar: nar)
            return try fixture.push(path, to: mine, token: token, narHash: narHash, narSize: Int64(size ?? secret.nar.count))
        }
        func together(_ nar: [UInt8], size: Int? = nil, twice: Bool = false) throws -> Response {
            let path = try TestPath("together", seeds: [9], byteCount: 8)
            let info = UploadPathNarInfo(
                cache: mine, storePathHash: path.storePath.hash, storePath: path.storePath.absolute(), references: [],
                narHash: narHash, narSize: Int64(size ?? secret.nar.count)
            ).announcement()
            let body = info + nar + (twice ? info + nar : [])
            return try fixture.send("PUT", Endpoint.uploadPaths, token: token, body: body)
        }
        var garbage = secret.nar
        garbage[secret.nar.count / 2] ^= 1
        let zeros = [UInt8](repeating: 0, count: secret.nar.count)
        let push = PlainPush(secret, .none)
        let ask = MissingPathsRequest(cache: mine, storePathHashes: [hash]).json()
        var responses: [Response] = [
            try fixture.send("GET", "/mine/\(hash).narinfo", token: token),
            try fixture.send("GET", "/mine/\(hash).closure.narinfo", token: token),
            try fixture.send("POST", "/mine/get-narinfos-v1", token: token, body: Array("\(hash)\n".utf8)),
            try fixture.send("GET", "/mine/\(hash).ls", token: token),
            try fixture.send("GET", "/mine/nar/\(hash).nar", token: token),
            try fixture.send("GET", "/mine/nar/\(fileHash.base32).nar.zst", token: token),
            try fixture.send("HEAD", "/mine/nar/\(fileHash.base32).nar.zst", token: token),
            try fixture.send("GET", "/mine/nar/\(fileHash.base32).nar.zst", token: token, headers: [("If-None-Match", "\"\(fileHash.base32)\"")]),
            try fixture.send("GET", "/mine/nar/\(fileHash.base32).nar.zst", token: token, headers: [("Range", "bytes=0-1")]),
            try fixture.send("HEAD", "/mine/\(push.url)", token: token),
            try fixture.send("POST", Endpoint.getMissingPaths, token: token, body: ask),
            try fixture.putNarInfo(push, to: mine, token: token),
            try fixture.putNarInfo(push, to: mine, token: token, [("NarSize", "1")]),
            try fixture.putNarInfo(push, to: mine, token: token, [("URL", "nar/\(fileHash.base32).nar.zst")]),
            try upload("empty", []),
            try upload("zeros", zeros),
            try upload("garbage", garbage),
            try upload("short", Array(secret.nar.dropLast(8))),
            try upload("long", secret.nar + zeros.prefix(8)),
            try upload("size-too-small", secret.nar, size: secret.nar.count - 8),
            try upload("size-too-large", secret.nar, size: secret.nar.count + 8),
            try upload("size-of-one", Array(secret.nar.prefix(1)), size: 1),
            try together([]), try together(zeros), try together(garbage), try together(Array(secret.nar.prefix(100))),
            try together(secret.nar, size: secret.nar.count - 8), try together(secret.nar, size: secret.nar.count + 8),
            // What is really known is taken, and looks new.
            try fixture.push(akin, to: mine, token: token),
            try together(secret.nar, twice: true),
        ]
        let whole = try fixture.push(secret, to: mine, token: token)
        #expect(whole.status == .ok)
        if !grants.contains(where: { $0.1.contains(.pull) }) { responses.append(whole) }
        return responses.map(seen)
    }

    private func storedFileHash() throws -> SHA256Digest {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("theirs")
        #expect(try fixture.push(secret, to: cache).status == .ok)
        return try #require(try fixture.narInfo(secret, in: cache).fileHash)
    }

    @Test("who may not pull a NAR finds out by nothing that it is here: not by its hash, its file, its size, nor its bytes", arguments: [
        Permissions([.pull, .push]), .push,
    ])
    func nothingTold(_ permissions: Permissions) throws {
        let fileHash = try storedFileHash()
        let grants = [("mine", permissions)]
        let held = try answers(holdingSecret: true, fileHash: fileHash, token: grants)
        let absent = try answers(holdingSecret: false, fileHash: fileHash, token: grants)
        for (index, (one, other)) in zip(held, absent).enumerated() { #expect(one == other, "answer \(index)") }
        #expect(held.count == absent.count)
    }

    @Test("who may pull it is told how much was here, and need not send it")
    func told() throws {
        let fixture = try Fixture()
        let (theirs, mine) = (try fixture.makeCache("theirs"), try fixture.makeCache("mine"))
        #expect(try fixture.push(secret, to: theirs).status == .ok)
        let token = try fixture.token([("mine", .push), ("theirs", .pull)])
        let known = try UploadPathResult(json: fixture.push(secret, to: mine, token: token).bytes)
        #expect(known.kind == .deduplicated && known.fracDeduplicated == 1)
        // Not of all caches it may pull.
        let partly = try UploadPathResult(json: fixture.push(akin, to: mine, token: token).bytes)
        #expect(partly.kind == .uploaded && partly.fracDeduplicated == nil)
        let everywhere = try fixture.token([("mine", [.push, .pull]), ("theirs", .pull)])
        let third = try TestPath("third", seeds: [2, 4], byteCount: 400_000)
        let fraction = try #require(try UploadPathResult(json: fixture.push(third, to: mine, token: everywhere).bytes).fracDeduplicated)
        #expect(fraction > 0.1 && fraction < 0.9)
    }

    @Test("a push to one cache changes nothing of another, whatever it says of the same path")
    func poison() throws {
        let fixture = try Fixture()
        let (theirs, mine) = (try fixture.makeCache("theirs"), try fixture.makeCache("mine"))
        let base = try TestPath("base", seeds: [5], byteCount: 1000)
        #expect(try fixture.push(base, to: theirs).status == .ok)
        #expect(try fixture.push(secret, to: theirs).status == .ok)
        func narInfo(_ cache: CacheName) throws -> Response { try fixture.send("GET", "/\(cache)/\(secret.storePath.hash).narinfo", token: fixture.root()) }
        let before = seen(try narInfo(theirs))
        let token = try fixture.token([("mine", .all)])
        var other = secret
        other.references = [base.storePath]
        other.signatures = ["theirs:" + Base64.encode([UInt8](repeating: 7, count: 64))]
        #expect(try fixture.push(other, to: mine, token: token).status == .ok)
        #expect(try fixture.putNar(PlainPush(other, .gzip), to: mine, token: token).status == .created)
        #expect(try fixture.putNarInfo(PlainPush(other, .gzip), to: mine, token: token, [("CA", "text:sha256:x"), ("Deriver", base.storePath.baseName)]).status == .noContent)
        #expect(seen(try narInfo(theirs)) == before)
        let info = try fixture.narInfo(other, in: mine)
        #expect(info.references == [base.storePath.baseName] && info.ca == "text:sha256:x")
        // The signature that names another cache is no more than what came along: that cache has not made it.
        let config = try CacheConfig(json: fixture.send("GET", Endpoint.cacheConfig(theirs), token: fixture.root()).bytes)
        let key = try PublicKey(parsing: #require(config.publicKey))
        #expect(!info.signatures.contains { key.verifies(signature: $0, message: info.fingerprint()) })
        // Another NAR than the one that is named gets nowhere.
        let third = try fixture.makeCache("third")
        let lie = TestPath(storePath: secret.storePath, nar: akin.nar)
        #expect(try fixture.push(lie, to: third, token: fixture.token([("third", .all)]), narHash: SHA256.digest(of: secret.nar), narSize: Int64(akin.nar.count)).status == .badRequest)
        #expect(try fixture.send("GET", "/theirs/nar/\(secret.storePath.hash).nar", token: fixture.root()).status == .ok)
    }

    @Test("what a realisation is known to be is for those who may read it")
    func realisation() throws {
        let fixture = try Fixture()
        let cache = try fixture.makeCache("mine")
        #expect(try fixture.push(secret, to: cache).status == .ok)
        #expect(try fixture.push(akin, to: cache).status == .ok)
        let id = "sha256:\(String(repeating: "0", count: 64))!out"
        func put(_ path: TestPath, _ permissions: Permissions) throws -> Response {
            let json = #"{"id":"\#(id)","outPath":"\#(path.storePath.baseName)","signatures":[],"dependentRealisations":{}}"#
            return try fixture.send("PUT", "/mine/realisations/\(id).doi", token: fixture.token([("mine", permissions)]), body: Array(json.utf8))
        }
        #expect(try put(secret, .push).status == .ok)
        let blind = try put(akin, .push)
        #expect(blind.status == .badRequest && blind.text.contains("another path") && !blind.text.contains("secret"))
        #expect(try put(akin, [.push, .pull]).text.contains(secret.storePath.baseName))
    }
}
