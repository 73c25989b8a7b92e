import Crypto
import HTTP
@testable import HTTPClient
import Platform
import Support
import Testing

private let patient = ClientTimeouts(connect: .seconds(10), silence: .seconds(10), continue: .seconds(10))
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite("Proxies of the environment") struct ProxyRulesTests {
    @Test("are for what they are for", arguments: [
        ("http://a", [:], nil), ("http://a", ["http_proxy": "p:3128"], "http://p:3128"), ("https://a", ["http_proxy": "p:3128"], nil),
        ("https://a", ["https_proxy": "http://p"], "http://p:1080"), ("https://a", ["HTTPS_PROXY": "http://p:80/"], "http://p"),
        ("http://a", ["HTTP_PROXY": "http://p"], nil), ("http://a", ["all_proxy": "http://p"], "http://p:1080"),
        ("https://a", ["ALL_PROXY": "https://p"], "https://p"), ("https://a", ["https_proxy": "", "all_proxy": "http://p"], nil),
        ("https://a", ["https_proxy": "http://p", "HTTPS_PROXY": "http://q"], "http://p:1080"),
        ("https://a", ["https_proxy": "http://[::1]:3128"], "http://[::1]:3128"), ("https://a", ["https_proxy": "[::1]"], "http://[::1]:1080"),
    ] as [(String, [String: String], String?)])
    func choice(url: String, environment: [String: String], proxy: String?) throws {
        let found = try ProxyRules(environment: environment).proxy(for: HTTPURL(url))
        #expect(found?.description == proxy)
        #expect(found?.authorization == nil)
    }

    @Test("are not for what no_proxy names", arguments: [
        ("a.example.org", "example.org", true), ("example.org", "example.org", true), ("a.example.org", ".example.org", true),
        ("example.org", ".example.org", true), ("a.example.org", "*.example.org", true), ("badexample.org", "example.org", false),
        ("example.org.evil", "example.org", false), ("A.Example.ORG", "a.example.org", true), ("example.org.", "example.org", true),
        ("a", "b,a", true), ("a", "b a", true), ("a", " b , c ", false), ("a", "*", true), ("a", "", false), ("a", ",,", false),
        ("10.1.2.3", "10.0.0.0/8", true), ("11.1.2.3", "10.0.0.0/8", false), ("10.1.2.3", "10.1.2.3", true), ("10.1.2.30", "10.1.2.3", false),
        ("110.1.2.3", "10.1.2.3", false), ("10.1.2.3", "2.3", false), ("10.1.2.3", "10.0.0.0/40", false), ("10.1.2.3", "10.0.0.0/x", false),
        ("10.1.2.3", "0.0.0.0/0", true), ("[2001:db8::1]", "2001:db8::/32", true), ("[2001:db9::1]", "2001:db8::/32", false),
        ("[::1]", "::1", true), ("[::1]", "[::1]", true), ("[::1]", "0.0.0.0/0", false), ("a:8080", "a:8080", true), ("a:8081", "a:8080", false),
        ("a", "a:80", true), ("[::1]:81", "[::1]:82", false),
    ])
    func exceptions(host: String, words: String, isStraight: Bool) throws {
        for name in ["no_proxy", "NO_PROXY"] {
            let rules = ProxyRules(environment: ["http_proxy": "p:1", name: words])
            #expect(try (rules.proxy(for: HTTPURL("http://\(host)/x")) == nil) == isStraight)
        }
    }

    @Test("may have a user name and a password, which are never shown", arguments: [
        ("http://user:pass@p:1", "dXNlcjpwYXNz"), ("user:p%40s%3as@p:1", "dXNlcjpwQHM6cw=="), ("http://us@er:pa/ss@p:1", "dXNAZXI6cGEvc3M="), ("http://user@p:1/", "dXNlcjo="),
    ])
    func credentials(value: String, encoded: String) throws {
        let proxy = try #require(try ProxyRules(environment: ["http_proxy": value]).proxy(for: HTTPURL("http://a")))
        #expect(proxy.authorization == "Basic \(encoded)")
        #expect("\(proxy)" == "http://p:1")
    }

    @Test("that are none are told by the name of the variable", arguments: [
        "socks5://secret@p:1", "http://user:secret@", "http://user:secret@p:x", "http://user:secret@p:1/x", "http://user:sec%zzret@p", "http://user:sec%0aret@p", "secret p", "://secret",
    ])
    func malformed(value: String) throws {
        let rules = ProxyRules(environment: ["https_proxy": value])
        let error = #expect(throws: ClientError.self) { try rules.proxy(for: HTTPURL("https://a")) }
        #expect(error?.description.hasPrefix("cannot use the proxy of https_proxy: ") == true)
        #expect(error?.description.contains("sec") == false && error?.description.contains("user:") == false)
        #expect(throws: ClientError.self) {
            try HTTPSession(endpoint: HTTPURL("https://a"), network: ClientNetwork(proxies: rules, roots: TrustRoots(file: nil), redirectsMax: 0))
        }
    }
}

@Suite("Through a proxy") struct ProxyTests {
    private func network(_ environment: [String: String], roots: TrustRoots = TrustRoots(file: nil)) -> ClientNetwork {
        ClientNetwork(proxies: ProxyRules(environment: environment), roots: roots, redirectsMax: 5)
    }

    @Test("http goes with the whole URL, and with the proxy's password") func http() throws {
        let seen = Monitor("")
        try ScriptedServer.run([{ connection in
            let head = connection.readHead()
            seen.update { $0 = head }
            connection.send(ok)
        }]) { proxy in
            let session = try HTTPSession(
                endpoint: HTTPURL("http://cache.invalid/base"), timeouts: patient,
                network: network(["http_proxy": "http://user:pass@127.0.0.1:\(proxy.port)"]))
            #expect(try session.send(ClientRequest(.get, "/a?b", headers: [("Authorization", "Bearer t")])).status == .ok)
        }
        #expect(seen.withLock { $0 } == "GET http://cache.invalid/base/a?b HTTP/1.1\r\nHost: cache.invalid\r\n"
            + "Proxy-Authorization: Basic dXNlcjpwYXNz\r\nAuthorization: Bearer t\r\n\r\n")
    }

    @Test("https goes through a tunnel that sees nothing of it") func tunnel() throws {
        let authority = try TestAuthority()
        let issued = try authority.issue("DNS:cache.invalid")
        let identity = try TLSIdentity(certificates: issued.certificates, key: issued.key)
        let heads = Monitor<[String]>([])
        try ScriptedServer.run([{ connection in
            let asked = connection.readHead()
            connection.send("HTTP/1.1 200 Connection established\r\n\r\n")
            guard connection.startTLS(identity) else { return }
            let head = connection.readHead()
            heads.update { $0 = [asked, head] }
            connection.send(ok)
        }]) { proxy in
            let session = try HTTPSession(
                endpoint: HTTPURL("https://cache.invalid"), timeouts: patient,
                network: network(["https_proxy": "http://user:pass@127.0.0.1:\(proxy.port)"], roots: TrustRoots(file: authority.certificate)))
            #expect(try session.send(ClientRequest(.get, "/a", headers: [("Authorization", "Bearer t")])).status == .ok)
        }
        #expect(heads.withLock { $0 } == [
            "CONNECT cache.invalid:443 HTTP/1.1\r\nHost: cache.invalid:443\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: cache.invalid\r\nAuthorization: Bearer t\r\n\r\n",
        ])
    }

    @Test("that refuses, https ends with what to do", arguments: [
        ("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "", "proxyFailed", "http://USER:PASSWORD@HOST:PORT"),
        ("HTTP/1.1 407 No\r\n\r\n", "user:secret@", "proxyFailed", "does not accept the user name and the password"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "", "proxyFailed", "does not let cache.invalid:443 be reached"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "", "unreachable", "answered 502"),
        ("HTTP/1.1 200 OK\r\n\r\nmore", "", "malformed", "more than its answer"),
        ("SSH-2.0\r\n\r\n", "", "malformed", "malformed"), ("", "", "disconnected", "before the answer"),
    ])
    func refused(answer: String, credentials: String, kind: String, words: String) throws {
        let authority = try TestAuthority()
        try ScriptedServer.run([{ connection in
            _ = connection.readHead()
            connection.send(answer)
        }]) { proxy in
            let session = try HTTPSession(
                endpoint: HTTPURL("https://cache.invalid"), timeouts: patient,
                network: network(["https_proxy": "http://\(credentials)127.0.0.1:\(proxy.port)"], roots: TrustRoots(file: authority.certificate)))
            let error = #expect(throws: ClientError.self) { try session.send(ClientRequest(.get, "/a")) }
            #expect(name(of: error) == kind)
            #expect(error?.description.contains(words) == true && error?.description.contains("secret") == false, "\(String(describing: error))")
        }
    }

    @Test("that wants a password, http ends with what to do") func password() throws {
        try ScriptedServer.run([{ connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        }]) { proxy in
            let session = try HTTPSession(
                endpoint: HTTPURL("http://cache.invalid"), timeouts: patient, network: network(["http_proxy": "127.0.0.1:\(proxy.port)"]))
            let error = #expect(throws: ClientError.self) { try session.send(ClientRequest(.get, "/")) }
            #expect(error?.description.contains("http://USER:PASSWORD@HOST:PORT") == true)
        }
    }

    @Test("that is not there, the server is not reached") func away() throws {
        let port = try ScriptedServer.closedPort()
        let session = try HTTPSession(
            endpoint: HTTPURL("http://cache.invalid"), timeouts: patient, network: network(["http_proxy": "u:secret@127.0.0.1:\(port)"]))
        let error = #expect(throws: ClientError.self) { try session.send(ClientRequest(.get, "/a")) }
        #expect(name(of: error) == "unreachable")
        #expect(error?.description.contains("by the proxy http://127.0.0.1:\(port)") == true && error?.description.contains("secret") == false)
    }
}
