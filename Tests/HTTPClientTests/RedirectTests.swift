import Crypto
import HTTP
import HTTPClient
import Platform
import Support
import Testing

private let patient = ClientTimeouts(connect: .seconds(10), silence: .seconds(10), continue: .seconds(10))
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// Answers each request of a connection with the next text, and notes the heads.
private func answering(_ texts: [String], _ heads: Monitor<[String]> = Monitor([]), bodyBytes: Int = 0) -> ScriptedServer.Script {
    { connection in
        for text in texts {
            let head = connection.readHead()
            if head.isEmpty { return }
            let body = connection.read(bodyBytes)
            heads.update { $0.append(head + body) }
            connection.send(text)
        }
        _ = connection.readToEnd()
    }
}

private func redirect(_ status: Int, _ location: String) -> String {
    "HTTP/1.1 \(status) Moved\r\nLocation: \(location)\r\nContent-Length: 4\r\n\r\nmove"
}

private func session(_ port: UInt16, redirectsMax: Int = 5) throws -> HTTPSession {
    let network = ClientNetwork(proxies: .none, roots: TrustRoots(file: nil), redirectsMax: redirectsMax)
    return try HTTPSession(endpoint: HTTPURL("http://127.0.0.1:\(port)/base/"), timeouts: patient, network: network)
}

private func failure(_ text: String, _ request: ClientRequest = ClientRequest(.get, "/a")) throws -> ClientError? {
    var error: ClientError?
    try ScriptedServer.run([answering([text])]) { server in
        let session = try session(server.port)
        error = #expect(throws: ClientError.self) { try session.send(request) }
    }
    return error
}

@Suite("Redirects") struct RedirectTests {
    @Test("are followed with the same method, where they say so", arguments: [
        (HTTP.Method.get, 301), (.get, 302), (.get, 303), (.get, 307), (.get, 308), (.head, 301), (.put, 307), (.put, 308), (.post, 307),
    ])
    func follows(method: HTTP.Method, status: Int) throws {
        let heads = Monitor<[String]>([])
        let body = method == .put || method == .post ? "hello" : ""
        let moved = method == .head ? "HTTP/1.1 \(status) Moved\r\nLocation: /other?x=1#part\r\n\r\n" : redirect(status, "/other?x=1#part")
        let last = method == .head ? "HTTP/1.1 200 OK\r\n\r\n" : ok
        try ScriptedServer.run([answering([moved, last], heads, bodyBytes: body.utf8.count)]) { server in
            let request = ClientRequest(
                method, "/a", headers: [("Authorization", "Bearer t")], body: body.isEmpty ? .none : .bytes(Array(body.utf8)))
            let answer = try session(server.port).send(request)
            #expect(answer.status == .ok && answer.withheldFrom == nil)
            let seen = heads.withLock { $0 }
            #expect(seen.map { $0.prefix { $0 != "\r\n" } } == ["\(method.rawValue) /base/a HTTP/1.1", "\(method.rawValue) /other?x=1 HTTP/1.1"])
            #expect(seen.allSatisfy { $0.contains("\r\nAuthorization: Bearer t\r\n") && $0.hasSuffix("\r\n\r\n\(body)") })
        }
    }

    @Test("that would make another method of it are refused with the endpoint", arguments: [HTTP.Method.put, .post, .patch, .delete], [301, 302, 303])
    func method(method: HTTP.Method, status: Int) throws {
        let error = try failure(redirect(status, "https://cache.example.org/x"), ClientRequest(method, "/a"))
        #expect(name(of: error) == "redirectRefused")
        #expect(error?.description.hasSuffix("the server is at https://cache.example.org now; use that endpoint") == true)
    }

    @Test("to another server go without what is meant for the first, and it is told", arguments: [1, 2])
    func credentials(hops: Int) throws {
        let (first, second) = (Monitor<[String]>([]), Monitor<[String]>([]))
        // Back to the first server it stays without.
        try ScriptedServer.run([answering([ok], second)]) { other in
            let location = "http://127.0.0.1:\(other.port)/there"
            let texts = hops == 1 ? [redirect(307, location)] : [redirect(307, "/between"), redirect(308, location)]
            try ScriptedServer.run([answering(texts, first)]) { server in
                let headers = [("authorization", "Bearer t"), ("Cookie", "c=d"), ("X-Other", "stays")]
                let answer = try session(server.port).send(ClientRequest(.get, "/a", headers: headers))
                #expect(answer.withheldFrom == "http://127.0.0.1:\(other.port)")
            }
        }
        #expect(first.withLock { $0.count } == hops && first.withLock { $0.allSatisfy { $0.contains("Bearer t") && $0.contains("c=d") } })
        let seen = second.withLock { $0.joined() }
        #expect(seen.contains("X-Other: stays") && !seen.contains("Bearer") && !seen.lowercased().contains("cookie"))
    }

    @Test("end after five, and with one that cannot be followed", arguments: [
        ("ftp://a/", "does not begin with http:// or https://"), ("http://u:p@a/", "user name"), ("http://a b/", "spaces"),
        ("/a b", "spaces"), ("javascript:alert(1)", "does not begin"), ("//", "host"), ("http://", "host"), ("/" + String(repeating: "x", count: 8192), "more than 8192 bytes"),
    ])
    func refused(location: String, words: String) throws {
        let error = try failure(redirect(307, location))
        #expect(name(of: error) == "redirectRefused")
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        #expect((error?.description.utf8.count ?? 0) < 500)
        let heads = Monitor<[String]>([])
        try ScriptedServer.run([answering(Array(repeating: redirect(302, "/again"), count: 10), heads)]) { server in
            let session = try session(server.port)
            let endless = #expect(throws: ClientError.self) { try session.send(ClientRequest(.get, "/a")) }
            #expect(endless?.description.contains("it is the 6th in a row") == true)
        }
        #expect(heads.withLock { $0.count } == 6)
    }

    @Test("without a place, and those that nobody wants to follow, are answers") func answers() throws {
        for (text, redirectsMax) in [("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", 5), (redirect(307, "/x"), 0), ("HTTP/1.1 304 Not Modified\r\nLocation: /x\r\n\r\n", 5)] {
            try ScriptedServer.run([answering([text])]) { server in
                let answer = try session(server.port, redirectsMax: redirectsMax).send(ClientRequest(.get, "/a"))
                #expect((300..<400).contains(answer.status.code))
            }
        }
    }

    @Test("of a body that cannot be made again are refused") func unrepeatable() throws {
        let body = ClientBody.stream(byteCount: 0, isRepeatable: false) { _ in }
        let error = try failure(redirect(307, "/x"), ClientRequest(.put, "/a", body: body))
        #expect(error?.description.hasSuffix("its body cannot be sent again") == true)
    }

    @Test("Credentials are for one server, and for its https where it was http", arguments: [
        ("http://a", "http://a/x", true), ("http://a", "https://a", true), ("https://a", "http://a", false), ("http://a", "http://b", false),
        ("http://a", "http://a:8080", false), ("http://a:8080", "https://a:8443", false), ("http://a:8080", "https://a:8080", false),
        ("https://a", "https://a:8443", false), ("https://a.b", "https://b", false), ("https://a", "https://A:443/", true),
    ])
    func origins(of: String, at: String, maySee: Bool) throws {
        #expect(try HTTPURL(at).maySeeCredentials(for: HTTPURL(of)) == maySee)
    }
}

@Suite("From https, redirects") struct SecureRedirectTests {
    @Test("to http are refused, whatever the method", arguments: [HTTP.Method.get, .put], [301, 308])
    func downgrade(method: HTTP.Method, status: Int) throws {
        let authority = try TestAuthority()
        let issued = try authority.issue("IP:127.0.0.1")
        let identity = try TLSIdentity(certificates: issued.certificates, key: issued.key)
        try ScriptedServer.run([{ connection in
            guard connection.startTLS(identity) else { return }
            _ = connection.readHead()
            connection.send(redirect(status, "http://127.0.0.1:1/x"))
        }]) { server in
            let network = ClientNetwork(proxies: .none, roots: TrustRoots(file: authority.certificate), redirectsMax: 5)
            let session = try HTTPSession(endpoint: HTTPURL("https://127.0.0.1:\(server.port)"), timeouts: patient, network: network)
            let error = #expect(throws: ClientError.self) { try session.send(ClientRequest(method, "/")) }
            #expect(error?.description.contains("http://127.0.0.1:1 is in the clear") == true, "\(String(describing: error))")
        }
    }
}
