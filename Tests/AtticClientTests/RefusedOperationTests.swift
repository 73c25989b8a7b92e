@testable import AtticClient
import AtticAPI
import Encoding
import HTTP
import HTTPClient
import Testing

@Suite("What a server refuses, in words")
struct RefusedOperationTests {
    /// A token with those claims, and a signature that nobody here looks at.
    private func token(_ claims: String) -> String {
        ["{\"typ\":\"JWT\",\"alg\":\"HS256\"}", claims, "signature"].map { Base64.encodeURL(Array($0.utf8)) }.joined(separator: ".")
    }

    private func failure(
        _ operation: CacheOperation, token: String?, _ status: Int, error: String = "Unauthorized", message: String = "Unauthorized."
    ) throws -> ClientFailure {
        let target = ResolvedCache(
            serverName: "local", endpoint: try HTTPURL("http://localhost:8080"), token: token, cache: try #require(CacheName("hello")))
        return RefusedOperation(
            operation: operation, target: target, status: Status(status),
            body: ErrorBody(code: status, error: error, message: message).json(), nowSeconds: 2_000_000_000
        ).failure
    }

    @Test("401 says which of missing, expired, not covering and not accepted it is")
    func unauthorized() throws {
        let missing = try failure(.push, token: nil, 401)
        #expect(missing.message == "cannot push to \"hello\" on \"local\": the server wants a token, and none is configured for it")
        #expect(missing.advice?.contains("--push hello, then run: tetryx login local http://localhost:8080 TOKEN") == true)
        let expired = try failure(.push, token: token(#"{"exp":1680293339,"https://jwt.attic.rs/v1":{"caches":{"*":{"w":1}}}}"#), 401)
        #expect(expired.message.hasSuffix("the token expired on Fri, 31 Mar 2023 20:08:59 GMT"))
        let early = try failure(.push, token: token(#"{"nbf":2000000001}"#), 401)
        #expect(early.message.contains("not valid before"))
        let elsewhere = try failure(.push, token: token(#"{"https://jwt.attic.rs/v1":{"caches":{"other":{"w":1}}}}"#), 401)
        #expect(elsewhere.message.contains("allows nothing with a cache of this name"))
        let refused = try failure(
            .push, token: token(#"{"https://jwt.attic.rs/v1":{"caches":{"*":{"w":1}}}}"#), 401, message: "Unauthorized. Bad signature.")
        #expect(refused.message.hasSuffix("the server did not accept the token (Unauthorized. Bad signature.)"))
        #expect(try failure(.push, token: "xyz", 401).message.contains("is no token"))
        for failure in [missing, expired, early, elsewhere, refused] { #expect(failure.kind == .notPermitted) }
    }

    @Test("403 says which permission is needed and which there are", arguments: [
        (CacheOperation.create, "create-cache", "--create-cache hello"), (.destroy, "destroy-cache", "--destroy-cache hello"),
        (.configure(retention: false), "configure-cache", "--configure-cache hello"),
        (.configure(retention: true), "configure-cache and configure-cache-retention", "--configure-cache-retention hello"),
    ])
    func forbidden(operation: CacheOperation, permission: String, option: String) throws {
        let failure = try failure(
            operation, token: token(#"{"https://jwt.attic.rs/v1":{"caches":{"hello":{"r":1,"w":1}}}}"#), 403, error: "AccessError")
        #expect(failure.kind == .notPermitted)
        #expect(failure.message.hasSuffix("the permission \(permission) is needed, and the token has pull, push here"))
        #expect(failure.advice?.contains(option) == true)
    }

    @Test("A cache that does not exist can be created")
    func noSuchCache() throws {
        let failure = try failure(.push, token: nil, 404, error: "NoSuchCache", message: "The requested cache does not exist.")
        #expect(failure.description == """
            cannot push to "hello" on "local": The requested cache does not exist.
               Create it with: tetryx cache create local:hello
            """)
    }

    @Test("What a server says cannot move the terminal's cursor or add lines")
    func clean() throws {
        let failure = try failure(.push, token: nil, 500, error: "X", message: "a\u{1B}[2Jb\nc")
        #expect(failure.message.hasSuffix(": a[2Jbc"))
        #expect(try self.failure(.push, token: nil, 500, error: "X", message: "a\u{9B}2Jb").message.hasSuffix(": a2Jb"))
    }

    @Test("A token whose times no calendar has is spoken of all the same", arguments: ["-99999999999999", "-9223372036854775808"], [
        "253402300800", "9223372036854775807",
    ])
    func timesBeyondTheCalendar(expiry: String, notBefore: String) throws {
        let expired = try failure(.push, token: token("{\"exp\":\(expiry)}"), 401)
        #expect(expired.message.hasSuffix("the token expired on second \(expiry) since 1970"))
        let early = try failure(.push, token: token("{\"nbf\":\(notBefore)}"), 401)
        #expect(early.message.hasSuffix("the token is not valid before second \(notBefore) since 1970"))
    }

    @Test("A page that is no error of ours is named by its status")
    func foreign() throws {
        let target = ResolvedCache(
            serverName: "local", endpoint: try HTTPURL("http://localhost:8080"), token: nil, cache: try #require(CacheName("hello")))
        let failure = RefusedOperation(
            operation: .push, target: target, status: Status(404), body: Array("<html>".utf8), nowSeconds: 0).failure
        #expect(failure.message.hasSuffix("the server answered 404 Not Found"))
        #expect(failure.advice?.contains("Is http://localhost:8080 the endpoint of an atticd?") == true)
    }

    @Test("A proxy that does not reach the server is told apart from a server that is busy")
    func away() throws {
        for status in [502, 504] {
            let failure = try failure(.push, token: nil, status)
            #expect(failure.kind == .unreachable && failure.advice?.hasPrefix("Is atticd running behind http://localhost:8080?") == true)
        }
        #expect(try failure(.push, token: nil, 503).kind == .failed)
    }

    @Test("Where another server refuses, which was not shown the token, that is said", arguments: [401, 403])
    func elsewhere(status: Int) throws {
        let target = ResolvedCache(
            serverName: "local", endpoint: try HTTPURL("http://localhost:8080"), token: "eyJ.a.b", cache: try #require(CacheName("hello")))
        let failure = RefusedOperation(
            operation: .push, target: target, status: Status(status), body: [], nowSeconds: 0, withheldFrom: "https://other.example").failure
        #expect(failure.kind == .notPermitted)
        #expect(failure.message.contains("the server redirects to https://other.example, which is not shown the token"))
        #expect(failure.advice == "If the token is for that one, log in with it: tetryx login local https://other.example TOKEN")
    }
}
