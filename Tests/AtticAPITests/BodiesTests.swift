import AtticAPI
import Crypto
import Nix
import Testing

@Suite("JSON bodies of the API")
struct BodiesTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private func refusal(_ body: () throws -> Void) -> String? {
        do { try body() } catch { return (error as? APIFormatError)?.description ?? "another error: \(error)" }
        return nil
    }

    @Test("A cache's configuration is written as clients know it, and read back")
    func cacheConfig() throws {
        let config = CacheConfig(
            keypair: .keypair("k:AAAA"), substituterEndpoint: "http://h/c", apiEndpoint: "http://h/", publicKey: "k:BBBB",
            isPublic: true, storeDirectory: "/nix/store", priority: 41, upstreamCacheKeyNames: ["cache.nixos.org-1"],
            retentionPeriod: .period(seconds: 1))
        #expect(text(config.json()) == #"{"keypair":{"Keypair":"k:AAAA"},"substituter_endpoint":"http://h/c","#
            + #""api_endpoint":"http://h/","public_key":"k:BBBB","is_public":true,"store_dir":"/nix/store","priority":41,"#
            + #""upstream_cache_key_names":["cache.nixos.org-1"],"retention_period":{"Period":1}}"#)
        #expect(try CacheConfig(json: config.json()) == config)
        #expect(try CacheConfig(json: bytes("{}")) == CacheConfig())
        #expect(try CacheConfig(json: bytes(#"{"is_public":null,"priority":null,"retention_period":null,"new":1}"#)) == CacheConfig())
        #expect(text(CacheConfig(keypair: .generate, retentionPeriod: .global).json())
            == #"{"keypair":"Generate","retention_period":"Global"}"#)
        #expect(try CacheConfig(json: bytes(#"{"retention_period":{"Period":0}}"#)).retentionPeriod == .period(seconds: 0))
    }

    @Test("What only the server says is no change")
    func changes() {
        #expect(CacheConfig(substituterEndpoint: "x", apiEndpoint: "y", publicKey: "z").changesNothing)
        #expect(!CacheConfig(isPublic: false).changesNothing)
        #expect(!CacheConfig(retentionPeriod: .global).changesNothing)
    }

    @Test("The member that is wrong is named with what is allowed", arguments: [
        ("[]", "the body is not a JSON object"), ("{", "the body is not JSON: it ends in the middle of a value, at byte 1"),
        (#"{"is_public":1}"#, "\"is_public\" must be true or false"),
        (#"{"priority":1.5}"#, "\"priority\" must be an integer from -2147483648 to 2147483647"),
        (#"{"priority":2147483648}"#, "\"priority\" must be an integer from -2147483648 to 2147483647"),
        (#"{"keypair":"generate"}"#, "\"keypair\" must be \"Generate\" or {\"Keypair\": \"name:base64\"}"),
        (#"{"keypair":{"Keypair":"a","x":1}}"#, "\"keypair\" must be \"Generate\" or {\"Keypair\": \"name:base64\"}"),
        (#"{"store_dir":"nix"}"#, "\"store_dir\" must be an absolute path without a slash at its end"),
        (#"{"store_dir":"/"}"#, "\"store_dir\" must be an absolute path without a slash at its end"),
        (#"{"store_dir":"/a\nb"}"#, "\"store_dir\" must be an absolute path without a slash at its end"),
        (#"{"upstream_cache_key_names":"x"}"#, "\"upstream_cache_key_names\" must be a list of strings without control characters"),
        (#"{"retention_period":5}"#, "\"retention_period\" must be \"Global\" or {\"Period\": seconds}, with seconds from 0 to 4294967295"),
        (#"{"retention_period":{"Period":-1}}"#, "\"retention_period\" must be \"Global\" or {\"Period\": seconds}, with seconds from 0 to 4294967295"),
        (#"{"retention_period":{"Period":4294967296}}"#, "\"retention_period\" must be \"Global\" or {\"Period\": seconds}, with seconds from 0 to 4294967295"),
    ])
    func wrongConfig(json: String, message: String) {
        #expect(refusal { _ = try CacheConfig(json: bytes(json)) } == message)
    }

    @Test("A request to create a cache has all its members")
    func createCache() throws {
        let request = CreateCacheRequest(
            keypair: .generate, isPublic: false, storeDirectory: "/nix/store", priority: 41, upstreamCacheKeyNames: ["a"])
        let json = #"{"keypair":"Generate","is_public":false,"store_dir":"/nix/store","priority":41,"upstream_cache_key_names":["a"]}"#
        #expect(text(request.json()) == json)
        #expect(try CreateCacheRequest(json: bytes(json)) == request)
        for member in ["keypair", "is_public", "store_dir", "priority", "upstream_cache_key_names"] {
            let without = json.replacing("\"\(member)\"", with: "\"x\"")
            #expect(refusal { _ = try CreateCacheRequest(json: bytes(without)) } == "\"\(member)\" is missing")
        }
    }

    @Test("A given key pair is not shown")
    func secrecy() {
        #expect("\(KeypairConfig.keypair("k:secret"))".contains("secret") == false)
        #expect(String(reflecting: CacheConfig(keypair: .keypair("k:secret"))).contains("secret") == false)
    }

    @Test("Missing paths keep their order")
    func missingPaths() throws {
        let json = #"{"cache":"c","store_path_hashes":["11111111111111111111111111111111","00000000000000000000000000000000"]}"#
        let request = try MissingPathsRequest(json: bytes(json))
        #expect(request.cache.rawValue == "c")
        #expect(request.storePathHashes.map(\.description) == [String(repeating: "1", count: 32), String(repeating: "0", count: 32)])
        #expect(text(request.json()) == json)
        let response = MissingPathsResponse(missingPaths: request.storePathHashes)
        #expect(text(response.json())
            == #"{"missing_paths":["11111111111111111111111111111111","00000000000000000000000000000000"]}"#)
        #expect(try MissingPathsResponse(json: response.json()) == response)
        #expect(try MissingPathsRequest(json: bytes(#"{"cache":"c","store_path_hashes":[]}"#)).storePathHashes.isEmpty)
        #expect(refusal { _ = try MissingPathsRequest(json: bytes(#"{"cache":"c","store_path_hashes":["11111111111111111111111111111111",1]}"#)) }
            == "\"store_path_hashes[1]\" must be 32 characters of Nix's base 32")
        #expect(refusal { _ = try MissingPathsRequest(json: bytes(#"{"cache":"_","store_path_hashes":[]}"#)) }?.hasPrefix("\"cache\" must be a cache name") == true)
    }

    static let base = "r5d7217c0rjd5iiz1g2nhvd15frck9x2-tetryx-0.1.0"
    static let narInfo = """
        {"cache":"hello","store_path_hash":"r5d7217c0rjd5iiz1g2nhvd15frck9x2","store_path":"/nix/store/\(base)",\
        "references":["\(base)"],"system":"x86_64-linux","deriver":"v660wl07i1lcrrgpr1yspn2va5d1xgjr-tetryx.drv",\
        "sigs":["k:AAAA"],"ca":"fixed:sha256:x","nar_hash":"sha256:\(String(repeating: "0a", count: 32))","nar_size":120}
        """

    @Test("A NAR info is written as the known server reads it, and read back")
    func uploadPathNarInfo() throws {
        let info = try UploadPathNarInfo(json: bytes(Self.narInfo))
        #expect(text(info.json()) == Self.narInfo)
        #expect(info.references.map(\.baseName) == [Self.base])
        #expect(info.deriver?.isDerivation == true)
        #expect(info.narHash.bytes == [UInt8](repeating: 10, count: 32))
        // As the known client sends it: nulls, and the hash in either base.
        let sparse = try UploadPathNarInfo(json: bytes(
            Self.narInfo.replacing("\"x86_64-linux\"", with: "null").replacing("\"fixed:sha256:x\"", with: "null")
                .replacing("\"v660wl07i1lcrrgpr1yspn2va5d1xgjr-tetryx.drv\"", with: "\"unknown-deriver\"")
                .replacing(String(repeating: "0a", count: 32), with: info.narHash.base32)))
        #expect(sparse.system == nil && sparse.ca == nil && sparse.deriver == nil && sparse.narHash == info.narHash)
    }

    @Test("Nothing of a NAR info can add a line to a narinfo, or name another path", arguments: [
        ("\"r5d7217c0rjd5iiz1g2nhvd15frck9x2\"", "\"v660wl07i1lcrrgpr1yspn2va5d1xgjr\"", "store_path"),
        ("/nix/store/r5", "r5", "store_path"), ("/nix/store/r5", "/r5", "store_path"), ("/nix/store/r5", "/nix\\n/store/r5", "store_path"),
        ("[\"r5d7", "[\"/nix/store/r5d7", "references[0]"), ("-tetryx-0.1.0\"]", "-tetryx\\nSig: x\"]", "references[0]"),
        ("x86_64-linux", "x\\ny", "system"), ("-tetryx.drv", "-tetryx.drv\\nX: y", "deriver"), ("k:AAAA", "k:AAAA\\nX: y", "sigs"),
        ("k:AAAA", "kAAAA", "sigs"), ("k:AAAA", ":A", "sigs"), ("fixed:sha256:x", "x\\ny", "ca"), ("sha256:0a", "sha1:0a", "nar_hash"),
        ("sha256:0a", "sha256:0", "nar_hash"), (":120", ":-1", "nar_size"), (":120", ":1.5", "nar_size"), (":120", ":\"120\"", "nar_size"),
        ("\"hello\"", "\"he/llo\"", "cache"), ("\"nar_size\"", "\"x\"", "nar_size"), ("\"references\"", "\"x\"", "references"),
    ])
    func wrongNarInfo(part: String, replacement: String, member: String) throws {
        let json = Self.narInfo.replacing(part, with: replacement)
        #expect(json != Self.narInfo)
        #expect(refusal { _ = try UploadPathNarInfo(json: bytes(json)) }?.hasPrefix("\"\(member)\" ") == true)
    }

    @Test("An upload's result leaves out what is not known")
    func uploadResult() throws {
        let result = UploadPathResult(kind: .uploaded, fileSize: 5, fracDeduplicated: 0.5)
        #expect(text(result.json()) == #"{"kind":"Uploaded","file_size":5,"frac_deduplicated":0.5}"#)
        #expect(try UploadPathResult(json: result.json()) == result)
        #expect(text(UploadPathResult(kind: .deduplicated).json()) == #"{"kind":"Deduplicated"}"#)
        #expect(try UploadPathResult(json: bytes(#"{"kind":"Deduplicated","file_size":null,"frac_deduplicated":1}"#)).fracDeduplicated == 1)
        #expect(refusal { _ = try UploadPathResult(json: bytes(#"{"kind":"Lost"}"#)) } == "\"kind\" must be \"Uploaded\" or \"Deduplicated\"")
        #expect(refusal { _ = try UploadPathResult(json: bytes(#"{"kind":"Uploaded","frac_deduplicated":1.1}"#)) } == "\"frac_deduplicated\" must be a number from 0 to 1")
    }

    @Test("An error is written as in the documents")
    func errorBody() throws {
        let body = ErrorBody(code: 404, error: "NoSuchObject", message: "The requested object does not exist.")
        #expect(text(body.json()) == #"{"code":404,"error":"NoSuchObject","message":"The requested object does not exist."}"#)
        #expect(try ErrorBody(json: body.json()) == body)
    }
}
