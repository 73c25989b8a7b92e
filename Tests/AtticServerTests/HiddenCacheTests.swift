import AtticAPI
import Crypto
import Encoding
import HTTP
import HTTPServer
import Nix
import Testing

@testable import AtticServer

/// A request about a cache: all that the HTTP surface has.
private struct Question: CustomTestStringConvertible {
    let method: String
    /// With `CACHE` where its name stands.
    let path: String
    var headers: [(String, String)] = []
    /// With `CACHE` as well.
    var body = ""

    var testDescription: String { "\(method) \(path) \(headers.map { "\($0.0): \($0.1)" }.joined(separator: ", "))" }

    private static let hash = "3qhwxfg5wi7h6k8v5pi1p1sw2jpxx5f9"
    private static let file = String(repeating: "0", count: 52)
    private static let drv = "\(hash)-hello.drv"
    private static let realisation = "realisations/sha256:\(String(repeating: "0", count: 64))!out.doi"
    private static let info = #"{"cache":"CACHE","store_path_hash":"\#(hash)","store_path":"/nix/store/\#(hash)-a","references":[],"nar_hash":"sha256:\#(String(repeating: "0", count: 64))","nar_size":8}"#

    private static let reads: [Question] = [
        "/CACHE/nix-cache-info", "/CACHE/attic-cache-info", "/CACHE/\(hash).narinfo", "/CACHE/\(hash).closure.narinfo", "/CACHE/\(hash).ls",
        "/CACHE/nar/\(file).nar.zst", "/CACHE/nar/\(file).nar", "/CACHE/nar/\(hash).nar", "/CACHE/log/\(drv)", "/CACHE/\(realisation)",
        "/CACHE/build-trace-v2/\(drv)/out.doi", "/_api/v1/cache-config/CACHE",
    ].flatMap { path in
        [
            Question(method: "GET", path: path), Question(method: "HEAD", path: path),
            Question(method: "GET", path: path, headers: [("If-None-Match", "*")]), Question(method: "GET", path: path, headers: [("Range", "bytes=0-0")]),
        ]
    }

    private static let writes: [Question] = [
        Question(method: "POST", path: "/CACHE/get-narinfos-v1", body: hash), Question(method: "QUERY", path: "/CACHE/get-narinfos-v1", body: hash),
        Question(method: "PUT", path: "/CACHE/nix-cache-info", body: "StoreDir: /nix/store\n"),
        Question(method: "PUT", path: "/CACHE/\(hash).narinfo", body: "StorePath: /nix/store/\(hash)-a\n"),
        Question(method: "PUT", path: "/CACHE/nar/\(file).nar", body: "x"), Question(method: "PUT", path: "/CACHE/nar/\(file).nar.xz", body: "x"),
        Question(method: "PUT", path: "/CACHE/\(hash).ls", body: "{}"), Question(method: "PUT", path: "/CACHE/log/\(drv)", body: "x"),
        Question(method: "PUT", path: "/CACHE/\(realisation)", body: "{}"),
        Question(method: "POST", path: "/_api/v1/cache-config/CACHE", body: "{}"),
        Question(method: "PATCH", path: "/_api/v1/cache-config/CACHE", body: "{}"),
        Question(method: "DELETE", path: "/_api/v1/cache-config/CACHE"),
        Question(method: "POST", path: "/_api/v1/get-missing-paths", body: #"{"cache":"CACHE","store_path_hashes":["\#(hash)"]}"#),
        Question(method: "PUT", path: "/_api/v1/upload-path", headers: [(Endpoint.narInfoHeader, info)], body: "12345678"),
        Question(method: "PUT", path: "/_api/v1/upload-path", headers: [(Endpoint.narInfoPreambleSizeHeader, "\(info.utf8.count)")], body: info),
        Question(method: "PUT", path: "/_api/v1/upload-paths", body: info),
        Question(method: "GET", path: "/CACHE/none"), Question(method: "DELETE", path: "/CACHE/\(hash).narinfo"),
    ]

    static let all = reads + writes
}

@Suite("Caches that somebody has no permission for")
struct HiddenCacheTests {
    @Test("answer everything as caches do that are not there", arguments: Question.all)
    fileprivate func hidden(_ question: Question) throws {
        let fixture = try Fixture()
        try fixture.makeCache("real1")
        try fixture.makeCache("open", isPublic: true)
        // What its owners ask for is at hand in memory.
        for method in ["GET", "GET"] { _ = try fixture.send(method, question.path.replacing("CACHE", with: "real1"), token: fixture.root()) }
        func seen(_ cache: String, _ credentials: [(String, String)]) throws -> String {
            let headers = question.headers.map { ($0.0, $0.1.replacing("CACHE", with: cache)) }
            let response = try fixture.send(
                question.method, question.path.replacing("CACHE", with: cache), headers: headers + credentials,
                body: Array(question.body.replacing("CACHE", with: cache).utf8))
            return "\(response.status.code) \(response.headers.map { "\($0.0): \($0.1)" }) \(response.text)"
        }
        let expired = try fixture.token([("*", .all)], expiry: 1_700_000_000)
        let visitors: [[(String, String)]] = [
            [], [("Authorization", "Bearer \(try fixture.token([("other", .all), ("real", .all)]))")], [("Authorization", "Bearer \(expired)")],
            [("Authorization", "Bearer \(try fixture.token([]))")], [("Authorization", "Basic rubbish")],
        ]
        for visitor in visitors { #expect(try seen("real1", visitor) == seen("gone1", visitor)) }
    }

    @Test("Credentials of other forms than the two are none, also where the token in them was seen before", arguments: [
        "TOKEN", "Bearer", "Bearer ", "BearerTOKEN", "Bearer\tTOKEN", "Bearer TOKEN x", "Bearer TOKEN,", "Bearer \"TOKEN\"", "Bearer TOKEN, Bearer TOKEN",
        "Token TOKEN", "Digest TOKEN", "Negotiate TOKEN", "Basic TOKEN", "Basic BASE64OFTOKEN", "Basic USER", "Basic USERTOKEN=", "Basic URLTOKEN",
        "Basic  ", "Bearer TOKEN\u{1}",
    ])
    func schemes(_ form: String) throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let token = try fixture.root()
        let base64 = Base64.encode(Array("user:\(token)".utf8))
        let value = form
            .replacing("BASE64OFTOKEN", with: Base64.encode(Array(token.utf8))).replacing("USERTOKEN", with: base64)
            .replacing("URLTOKEN", with: Base64.encodeURL(Array("\u{3ff}\u{3ff}\u{3ff}:\(token)x".utf8)))
            .replacing("USER", with: Base64.encode(Array("user".utf8))).replacing("TOKEN", with: token)
        // Known to the loops as well.
        for _ in 0..<2 { #expect(try fixture.send("GET", "/hello/nix-cache-info", token: token).status == .ok) }
        do throws(ParseError) {
            let text = "GET /hello/nix-cache-info HTTP/1.1\r\nHost: cache.test\r\nAuthorization: \(value)\r\n\r\n"
            #expect(try respond(fixture, RequestHead(parsing: text)).status == .unauthorized)
        } catch { #expect(error.status == .badRequest) }
    }

    @Test("A token counts nowhere else in a request")
    func elsewhere() throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let token = try fixture.root()
        for header in ["Proxy-Authorization", "X-Authorization", "Cookie", "X-Forwarded-Authorization", "Authorization-"] {
            #expect(try fixture.send("GET", "/hello/nix-cache-info", headers: [(header, "Bearer \(token)")]).status == .unauthorized)
        }
        #expect(try fixture.send("GET", "/hello/nix-cache-info?access_token=\(token)").status == .unauthorized)
    }

    @Test("The user of Basic does not matter, and its password may hold colons", arguments: ["", "root", "a b", "é"])
    func user(_ name: String) throws {
        let fixture = try Fixture()
        try fixture.makeCache("hello")
        let value = Base64.encode(Array("\(name):\(try fixture.root())".utf8))
        #expect(try fixture.send("GET", "/hello/nix-cache-info", headers: [("Authorization", "Basic \(value)")]).status == .ok)
        let odd = Base64.encode(Array("\(name)::\(try fixture.root())".utf8))
        #expect(try fixture.send("GET", "/hello/nix-cache-info", headers: [("Authorization", "Basic \(odd)")]).status == .unauthorized)
    }

    private func respond(_ fixture: Fixture, _ head: RequestHead) -> Response {
        fixture.application.answerAtOnce(head)
            ?? fixture.application.respond(to: Request(head: head, id: "0123456789abcdef", remoteAddress: "192.0.2.1", body: RequestBody()))
    }
}
