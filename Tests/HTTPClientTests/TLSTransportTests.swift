import Crypto
import HTTP
import HTTPClient
import Platform
import Support
import Testing

private let patient = ClientTimeouts(connect: .seconds(10), silence: .seconds(10), continue: .seconds(10))
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite("Over TLS, a session") struct TLSTransportTests {
    private let authority: TestAuthority
    private let identity: TLSIdentity

    init() throws {
        authority = try TestAuthority()
        let issued = try authority.issue("DNS:localhost,IP:127.0.0.1")
        identity = try TLSIdentity(certificates: issued.certificates, key: issued.key)
    }

    private var network: ClientNetwork {
        ClientNetwork(proxies: .none, roots: TrustRoots(file: authority.certificate, variable: "SSL_CERT_FILE"), redirectsMax: 0)
    }

    private func session(_ server: ScriptedServer, timeouts: ClientTimeouts = patient) throws -> HTTPSession {
        try HTTPSession(endpoint: HTTPURL("https://127.0.0.1:\(server.port)/base"), timeouts: timeouts, connectionsMax: 2, network: network)
    }

    private func failure(_ script: @escaping ScriptedServer.Script, timeouts: ClientTimeouts = patient) throws -> ClientError? {
        var error: ClientError?
        try ScriptedServer.run([script]) { server in
            let session = try session(server, timeouts: timeouts)
            error = #expect(throws: ClientError.self) { try session.send(ClientRequest(.get, "/")) }
        }
        return error
    }

    @Test("sends requests and reads answers, several over one connection, in whatever pieces they come", arguments: [1, 100, .max])
    func exchange(pieceBytes: Int) throws {
        let body = String((0..<40_000).map { Character(UnicodeScalar(UInt8(0x21 + $0 % 90))) })
        let heads = Monitor<[String]>([])
        try ScriptedServer.run([{ [identity] connection in
            guard connection.startTLS(identity, pieceBytes: pieceBytes) else { return }
            for _ in 0..<2 {
                let head = connection.readHead()
                heads.update { $0.append(head) }
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body)
            }
        }]) { server in
            let session = try session(server)
            for _ in 0..<2 {
                let answer = try session.send(ClientRequest(.get, "/x", headers: [("Authorization", "Bearer t")]))
                #expect(String(decoding: answer.body, as: UTF8.self) == body)
            }
            #expect(server.connectionCount == 1)
            #expect(heads.withLock { $0 } == Array(
                repeating: "GET /base/x HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\nAuthorization: Bearer t\r\n\r\n", count: 2))
        }
    }

    @Test("sends bodies of any size, also from files") func bodies() throws {
        let content: [UInt8] = (0..<1_300_000).map { (index: Int) -> UInt8 in UInt8(0x20 + index % 89) }
        let directory = try TemporaryDirectory()
        let path = try directory.write("content", content)
        let received = Monitor("")
        try ScriptedServer.run([{ [identity] connection in
            guard connection.startTLS(identity) else { return }
            _ = connection.readHead()
            let body = connection.read(2 * content.count + 6)
            received.update { $0 = body }
            connection.send(ok)
        }]) { server in
            let body = ClientBody.stream(byteCount: 2 * Int64(content.count) + 6, isRepeatable: true) { writer in
                try writer.write(Array("one".utf8))
                let file = try File.open(path, .read)
                #expect(try writer.write(file, byteCount: Int64(content.count)) == Int64(content.count))
                try writer.write(Array("two".utf8))
                try writer.write(content)
            }
            let answer = try session(server).send(ClientRequest(.put, "/", body: body))
            #expect(answer.sentWholeBody)
        }
        let text = String(decoding: content, as: UTF8.self)
        #expect(received.withLock { $0 == "one" + text + "two" + text })
    }

    @Test("hears a refusal that comes before the body is sent", arguments: [true, false])
    func early(closesAtOnce: Bool) throws {
        try ScriptedServer.run([{ [identity] connection in
            guard connection.startTLS(identity) else { return }
            _ = connection.readHead()
            connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
            if !closesAtOnce { _ = connection.readToEnd() }
        }]) { server in
            let piece = [UInt8](repeating: 0, count: 200_000)
            let endless = ClientBody.stream(byteCount: .max) { writer in while true { try writer.write(piece) } }
            let answer = try session(server).send(ClientRequest(.put, "/", body: endless))
            #expect(answer.status == .contentTooLarge)
            #expect(!answer.sentWholeBody)
        }
    }

    @Test("takes the end of a connection for the end of an answer only where TLS says so", arguments: [true, false])
    func end(isSaid: Bool) throws {
        try ScriptedServer.run([{ [identity] connection in
            guard connection.startTLS(identity) else { return }
            _ = connection.readHead()
            connection.send("HTTP/1.1 200 OK\r\n\r\nhello")
            if isSaid { connection.endTLS() }
        }]) { server in
            let session = try session(server)
            if isSaid {
                #expect(try String(decoding: session.send(ClientRequest(.get, "/")).body, as: UTF8.self) == "hello")
            } else {
                let error = #expect(throws: ClientError.self) { try session.send(ClientRequest(.get, "/")) }
                #expect(name(of: error) == "disconnected")
            }
        }
    }

    @Test("makes a new connection where the server closed the old one, whether it said so or not", arguments: [true, false])
    func kept(isSaid: Bool) throws {
        let first: ScriptedServer.Script = { [identity] connection in
            guard connection.startTLS(identity) else { return }
            _ = connection.readHead()
            connection.send(ok)
            if isSaid { connection.endTLS() }
        }
        try ScriptedServer.run([first, first]) { server in
            let session = try session(server)
            for _ in 0..<2 { #expect(try session.send(ClientRequest(.get, "/")).status == .ok) }
            #expect(server.connectionCount == 2)
        }
    }

    @Test("says what is wrong with a server that it does not believe, and which authorities it believes") func untrusted() throws {
        let own = try authority.issue("DNS:localhost", isSelfSigned: true)
        let selfSigned = try TLSIdentity(certificates: own.certificates, key: own.key)
        let error = try failure { #expect(!$0.startTLS(selfSigned)) }
        #expect(name(of: error) == "untrusted")
        #expect(error?.description.contains("its certificate is self-signed, and not among those of \(authority.certificate) (SSL_CERT_FILE)") == true)
        let elsewhere = try authority.issue("DNS:elsewhere.example")
        let wrong = try TLSIdentity(certificates: elsewhere.certificates, key: elsewhere.key)
        let message = try failure { _ = $0.startTLS(wrong) }?.description ?? ""
        #expect(message.contains("its certificate is not for 127.0.0.1 but for DNS:elsewhere.example;"), "\(message)")
    }

    @Test("says so where the other side is cut, speaks something else, or says nothing") func noTLS() throws {
        #expect(name(of: try failure { _ in }) == "disconnected")
        let plain = try failure { connection in
            connection.sendRaw(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
            _ = connection.readToEnd()
        }
        #expect(name(of: plain) == "untrusted" && plain?.description.contains("what it sends is not TLS") == true)
        var timeouts = patient
        timeouts.connect = .milliseconds(50)
        #expect(name(of: try failure({ _ = $0.readToEnd() }, timeouts: timeouts)) == "timedOut")
    }

    @Test("is not made without authorities, or with such as cannot be read") func roots() throws {
        let none = ClientNetwork(proxies: .none, roots: TrustRoots(file: nil), redirectsMax: 0)
        let missing = ClientNetwork(proxies: .none, roots: TrustRoots(file: "/none.pem", variable: "SSL_CERT_FILE"), redirectsMax: 0)
        for (network, words) in [(none, "install the package ca-certificates"), (missing, "from /none.pem (SSL_CERT_FILE)")] {
            let error = #expect(throws: ClientError.self) { try HTTPSession(endpoint: HTTPURL("https://a"), network: network) }
            #expect(name(of: error) == "untrusted" && error?.description.contains(words) == true)
            // In the clear nobody needs them.
            #expect(throws: Never.self) { try HTTPSession(endpoint: HTTPURL("http://a"), network: network) }
        }
    }
}

@Suite("Authorities") struct TrustRootsTests {
    @Test("are those that the environment names, else the system's", arguments: [
        ([:], "/etc/pki/tls/certs/ca-bundle.crt", nil, nil),
        (["NIX_SSL_CERT_FILE": "/a", "SSL_CERT_FILE": "/b"], "/a", nil, "NIX_SSL_CERT_FILE"),
        (["NIX_SSL_CERT_FILE": "", "SSL_CERT_FILE": "/b"], "/b", nil, "SSL_CERT_FILE"),
        (["SSL_CERT_FILE": "/b", "SSL_CERT_DIR": "/d"], "/b", "/d", "SSL_CERT_FILE"),
        (["SSL_CERT_DIR": "/d"], nil, "/d", "SSL_CERT_DIR"),
        (["SSL_CERT_DIR": ""], "/etc/pki/tls/certs/ca-bundle.crt", nil, nil),
    ] as [([String: String], String?, String?, String?)])
    func find(environment: [String: String], file: String?, directory: String?, variable: String?) {
        let there = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"]
        let found = TrustRoots.find(environment: environment) { there.contains($0) }
        #expect(found == TrustRoots(file: file, directory: directory, variable: variable))
    }

    @Test("are none where the machine has none") func none() {
        #expect(TrustRoots.find(environment: [:]) { _ in false } == TrustRoots(file: nil))
    }
}
