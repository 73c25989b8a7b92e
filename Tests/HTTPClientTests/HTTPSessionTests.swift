import Glibc
import HTTP
import HTTPClient
import Platform
import Support
import Testing

private let patient = ClientTimeouts(connect: .seconds(10), silence: .seconds(10), continue: .seconds(10))

private func session(_ server: ScriptedServer, timeouts: ClientTimeouts = patient, connectionsMax: Int = 4) throws -> HTTPSession {
    try HTTPSession(
        endpoint: HTTPURL("http://127.0.0.1:\(server.port)/base/"), timeouts: timeouts, connectionsMax: connectionsMax)
}

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite("A session") struct HTTPSessionTests {
    @Test("sends these bytes and understands the answer")
    func get() throws {
        let seen = Monitor("")
        try ScriptedServer.run([{ connection in
            let head = connection.readHead()
            seen.update { $0 = head }
            connection.send("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"e\"\r\n\r\nhello")
        }]) { server in
            let response = try session(server).send(ClientRequest(.get, "/a?b", headers: [("Authorization", "Bearer t")]))
            #expect(response.status == .ok)
            #expect(response.header("etag") == "\"e\"")
            #expect(text(response.body) == "hello")
            #expect(seen.withLock { $0 }
                == "GET /base/a?b HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\nAuthorization: Bearer t\r\n\r\n")
        }
    }

    @Test("finds the end of the body", arguments: [
        (Method.get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", true),
        (.get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", true),
        (.get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x\r\nlo\r\n0\r\nT: x\r\n\r\n", "hello", true),
        (.get, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", "hello", true),
        (.head, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "", true),
        (.get, "HTTP/1.1 204 No Content\r\n\r\n", "", true),
        (.get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", true),
        (.get, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", "hello", false),
        (.get, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", false),
    ], [true, false])
    func framing(answer: (method: HTTP.Method, bytes: String, body: String, isKept: Bool), inOnePiece: Bool) throws {
        let first: ScriptedServer.Script = { connection in
            _ = connection.readHead()
            if inOnePiece { connection.send(answer.bytes) } else { answer.bytes.utf8.forEach { connection.send(String(decoding: [$0], as: UTF8.self)) } }
            if answer.isKept {
                _ = connection.readHead()
                connection.send(ok)
            }
            _ = connection.readToEnd()
        }
        try ScriptedServer.run([first, { connection in
            _ = connection.readHead()
            connection.send(ok)
        }]) { server in
            let session = try session(server)
            let response = try session.send(ClientRequest(answer.method, "/"))
            #expect(text(response.body) == answer.body)
            #expect(try text(session.send(ClientRequest(.get, "/")).body) == "ok")
            #expect(server.connectionCount == (answer.isKept ? 1 : 2))
        }
    }

    @Test("does not use a connection again where more came than was announced")
    func leftOver() throws {
        try ScriptedServer.run([
            { connection in
                _ = connection.readHead()
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!")
                _ = connection.readToEnd()
            },
            { connection in
                _ = connection.readHead()
                connection.send(ok)
            },
        ]) { server in
            let session = try session(server)
            #expect(try text(session.send(ClientRequest(.get, "/")).body) == "hello")
            #expect(try text(session.send(ClientRequest(.get, "/")).body) == "ok")
        }
    }

    @Test("reads a body that ends with the connection")
    func untilClose() throws {
        try ScriptedServer.run([{ connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 200 OK\r\n\r\nhel")
            connection.send("lo")
        }]) { server in
            let response = try session(server).send(ClientRequest(.get, "/"))
            #expect(text(response.body) == "hello")
        }
    }

    @Test("hands a successful body to its receiver and keeps that of an error")
    func receiving() throws {
        try ScriptedServer.run([{ connection in
            _ = connection.readHead()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            _ = connection.readHead()
            connection.send("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone")
            _ = connection.readHead()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        }]) { server in
            struct Full: Error {}
            let session = try session(server)
            var taken: [UInt8] = []
            let first = try unsafe session.send(ClientRequest(.get, "/", answerBytesMax: 1)) { unsafe taken += $0 }
            #expect(text(taken) == "hello")
            #expect(first.body.isEmpty)
            let second = try unsafe session.send(ClientRequest(.get, "/")) { unsafe taken += $0 }
            #expect(second.status == .notFound)
            #expect(text(second.body) == "gone")
            #expect(taken.count == 5)
            let error = #expect(throws: ClientError.self) {
                try unsafe session.send(ClientRequest(.get, "/")) { _ in throw Full() }
            }
            guard case .receiverFailed(let cause) = error else { Issue.record("\(String(describing: error))"); return }
            #expect(cause is Full)
        }
    }

    @Test("refuses an answer that it cannot trust", arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world", "tooLarge"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n", "tooLarge"),
        ("HTTP/1.1 200 OK\r\n\r\nhello world", "tooLarge"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhello", "disconnected"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "disconnected"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "malformed"),
        ("HTTP/1.1 200 OK\r\nContent-", "disconnected"),
        ("", "disconnected"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "malformed"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "malformed"),
        ("SSH-2.0-OpenSSH\r\n", "malformed"),
        (String(repeating: "HTTP/1.1 102 Processing\r\n\r\n", count: 33), "malformed"),
    ])
    func refuses(answer: String, kind: String) throws {
        try ScriptedServer.run([{ connection in
            _ = connection.readHead()
            connection.send(answer)
        }]) { server in
            let error = #expect(throws: ClientError.self) {
                try session(server).send(ClientRequest(.get, "/", answerBytesMax: 10))
            }
            #expect(name(of: error) == kind)
            #expect(server.connectionCount == 1)
        }
    }

    @Test("gives up on a server that says nothing")
    func silence() throws {
        var timeouts = patient
        timeouts.silence = .milliseconds(20)
        try ScriptedServer.run([{ _ = $0.readToEnd() }]) { server in
            let error = #expect(throws: ClientError.self) {
                try session(server, timeouts: timeouts).send(ClientRequest(.get, "/"))
            }
            #expect(name(of: error) == "timedOut")
        }
    }

    @Test("says who could not be reached: a name with its addresses, an address once")
    func unreachable() throws {
        let port = try ScriptedServer.closedPort()
        func words(of host: String) throws -> String? {
            let session = try HTTPSession(endpoint: HTTPURL("http://\(host):\(port)"), timeouts: patient)
            return #expect(throws: ClientError.self) { try session.send(ClientRequest(.get, "/")) }?.description
        }
        #expect(try words(of: "127.0.0.1") == "cannot connect to 127.0.0.1:\(port): Connection refused")
        #expect(try words(of: "localhost")?.contains("cannot connect to localhost:\(port): ") == true)
        #expect(try words(of: "localhost")?.contains("127.0.0.1:\(port): Connection refused") == true)
    }

    @Test("refuses paths that would break the request", arguments: ["", "a", "/a b", "/a\r\nX: y", "/\u{E9}"])
    func paths(path: String) throws {
        try ScriptedServer.run([{ _ = $0.readToEnd() }]) { server in
            let error = #expect(throws: ClientError.self) { try session(server).send(ClientRequest(.get, path)) }
            #expect(name(of: error) == "malformedURL")
        }
    }

    @Test("tries every address of a name", .enabled(if: hasLocalhost))
    func localhost() throws {
        try ScriptedServer.run([{ connection in
            _ = connection.readHead()
            connection.send(ok)
        }]) { server in
            let session = try HTTPSession(endpoint: HTTPURL("http://localhost:\(server.port)"), timeouts: patient)
            #expect(try text(session.send(ClientRequest(.get, "/")).body) == "ok")
        }
    }

    @Test("speaks IPv6", .enabled(if: hasIPv6))
    func ipv6() throws {
        let seen = Monitor("")
        try ScriptedServer.run([{ connection in
            let head = connection.readHead()
            seen.update { $0 = head }
            connection.send(ok)
        }], family: AF_INET6) { server in
            let session = try HTTPSession(endpoint: HTTPURL("http://[::1]:\(server.port)"), timeouts: patient)
            #expect(try text(session.send(ClientRequest(.get, "/")).body) == "ok")
            #expect(seen.withLock { $0 } == "GET / HTTP/1.1\r\nHost: [::1]:\(server.port)\r\n\r\n")
        }
    }
}

@Suite("Kept connections") struct KeptConnectionTests {
    @Test("that the server closed meanwhile are replaced")
    func closedMeanwhile() throws {
        let isClosed = Monitor(false)
        try ScriptedServer.run([
            { connection in
                _ = connection.readHead()
                connection.send(ok)
            },
            { connection in
                _ = connection.readHead()
                connection.send(ok)
                isClosed.update { $0 = true }
            },
        ]) { server in
            let session = try session(server)
            _ = try session.send(ClientRequest(.get, "/"))
            // Either the end has arrived and is seen, or the request meets it and is sent again: a PUT may be.
            let response = try session.send(ClientRequest(.put, "/", body: .bytes(Array("x".utf8))))
            #expect(text(response.body) == "ok")
            #expect(server.connectionCount == 2)
        }
        #expect(isClosed.withLock { $0 })
    }

    @Test("that die under a request are replaced once, where it may be repeated", arguments: [
        (HTTP.Method.get, BodyKind.none, nil, true),
        (.put, .bytes("x"), nil, true),
        (.post, .bytes("x"), nil, false),
        (.post, .bytes("x"), true, true),
        (.put, .stream(["x"], byteCount: 1), nil, false),
        (.put, .repeatableStream("x"), nil, true),
    ] as [(HTTP.Method, BodyKind, Bool?, Bool)])
    func diesUnderRequest(method: HTTP.Method, body: BodyKind, mayRepeat: Bool?, isRepeated: Bool) throws {
        try ScriptedServer.run([
            { connection in
                _ = connection.readHead()
                connection.send(ok)
                _ = connection.readHead()
            },
            { connection in
                _ = connection.readHead()
                connection.send(ok)
                _ = connection.readToEnd()
            },
        ]) { server in
            let session = try session(server)
            _ = try session.send(ClientRequest(.get, "/"))
            let request = ClientRequest(method, "/", body: body.body, mayRepeat: mayRepeat)
            if isRepeated {
                #expect(try text(session.send(request).body) == "ok")
            } else {
                let error = #expect(throws: ClientError.self) { try session.send(request) }
                #expect(name(of: error) == "disconnected")
            }
            #expect(server.connectionCount == (isRepeated ? 2 : 1))
        }
    }

    @Test("are shared by threads, never more than allowed")
    func shared() throws {
        let answering: ScriptedServer.Script = { connection in
            while !connection.readHead().isEmpty { connection.send(ok) }
        }
        try ScriptedServer.run([answering, answering, answering]) { server in
            let session = try session(server, connectionsMax: 2)
            let good = Monitor(0)
            let work: @Sendable () -> Void = {
                for _ in 0..<20 where (try? session.send(ClientRequest(.get, "/")))?.status == .ok { good.update { $0 += 1 } }
            }
            let first = Thread(named: "first", work)
            let second = Thread(named: "second", work)
            let third = Thread(named: "third", work)
            first.join()
            second.join()
            third.join()
            #expect(good.withLock { $0 } == 60)
            #expect(server.connectionCount <= 2)
        }
    }
}

@Suite("Request bodies") struct RequestBodyTests {
    struct Broken: Error {}

    @Test("go over the wire as announced", arguments: [
        (BodyKind.none, "Content-Length: 0", ""),
        (.bytes(""), "Content-Length: 0", ""),
        (.bytes("hello"), "Content-Length: 5", "hello"),
        (.stream(["hel", "", "lo"], byteCount: 5), "Content-Length: 5", "hello"),
        (.stream(["hel", "", "lo"], byteCount: nil), "Transfer-Encoding: chunked", "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
        (.stream([], byteCount: nil), "Transfer-Encoding: chunked", "0\r\n\r\n"),
    ] as [(BodyKind, String, String)])
    func exact(body: BodyKind, field: String, expected: String) throws {
        let seen = Monitor("")
        try ScriptedServer.run([{ connection in
            let got = connection.readHead() + connection.read(expected.utf8.count)
            seen.update { $0 = got }
            connection.send(ok)
        }]) { server in
            let response = try session(server).send(ClientRequest(.put, "/x", body: body.body))
            #expect(response.sentWholeBody)
            #expect(seen.withLock { $0 }
                == "PUT /base/x HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n\(field)\r\n\r\n\(expected)")
        }
    }

    @Test("that are large arrive whole, in chunks and with a length", arguments: [true, false])
    func large(isChunked: Bool) throws {
        let piece = [UInt8](repeating: 0x61, count: 100_000)
        let count = Monitor(0)
        try ScriptedServer.run([{ connection in
            _ = connection.readHead()
            var total = 0
            if isChunked {
                while let size = Int(connection.readUntil("\r\n").dropLast(), radix: 16) {
                    total += connection.read(size).utf8.count
                    _ = connection.readUntil("\r\n")
                    if size == 0 { break }
                }
            } else {
                total = connection.read(500_003).utf8.count
            }
            count.update { $0 = total }
            connection.send(ok)
        }]) { server in
            let body = ClientBody.stream(byteCount: isChunked ? nil : 500_003) { writer in
                for _ in 0..<5 { try writer.write(piece) }
                try writer.write([1, 2, 3])
            }
            _ = try session(server).send(ClientRequest(.put, "/", body: body))
            #expect(count.withLock { $0 } == 500_003)
        }
    }

    @Test("come from files without a copy, between what stands before and behind", arguments: [true, false])
    func files(isAnnounced: Bool) throws {
        let content: [UInt8] = (0..<1_300_000).map { (index: Int) -> UInt8 in UInt8(0x20 + index % 89) }
        let directory = try TemporaryDirectory()
        let path = try directory.write("content", content)
        let received = Monitor("")
        try ScriptedServer.run([{ connection in
            let head = connection.readHead()
            var body = ""
            if isAnnounced {
                body = connection.read(content.count + 6)
            } else {
                while let size = Int(connection.readUntil("\r\n").dropLast(), radix: 16) {
                    body += connection.read(size)
                    _ = connection.readUntil("\r\n")
                    if size == 0 { break }
                }
            }
            received.update { $0 = body }
            #expect(head.contains(isAnnounced ? "Content-Length: 1300006" : "Transfer-Encoding: chunked"))
            connection.send(ok)
        }]) { server in
            let body = ClientBody.stream(byteCount: isAnnounced ? Int64(content.count) + 6 : nil, isRepeatable: true) { writer in
                try writer.write(Array("one".utf8))
                let file = try File.open(path, .read)
                var last: Int64 = 0
                let count = try writer.write(file, byteCount: Int64(content.count)) { last = $0 }
                #expect(count == Int64(content.count) && last == count)
                try writer.write(Array("two".utf8))
            }
            _ = try session(server).send(ClientRequest(.put, "/", body: body))
        }
        #expect(received.withLock { $0 } == "one" + text(content) + "two")
    }

    @Test("wait for leave where asked to, and are not made where it is refused", arguments: [true, false])
    func expectContinue(isGiven: Bool) throws {
        let seen = Monitor("")
        try ScriptedServer.run([{ connection in
            let head = connection.readHead()
            connection.send(isGiven ? "HTTP/1.1 100 Continue\r\n\r\n" : "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            let body = isGiven ? connection.read(5) : "\(connection.readToEnd())"
            seen.update { $0 = head + body }
            if isGiven { connection.send(ok) }
        }]) { server in
            var isMade = false
            do {
                let body = ClientBody.stream(byteCount: 5) { writer in
                    isMade = true
                    try writer.write(Array("hello".utf8))
                }
                let session = try session(server)
                let response = try session.send(ClientRequest(.put, "/", body: body, expectContinue: true))
                #expect(response.status == (isGiven ? .ok : .forbidden))
                #expect(response.sentWholeBody == isGiven)
                #expect(isMade == isGiven)
            }
        }
        #expect(seen.withLock { $0 }.contains("\r\nExpect: 100-continue\r\n\r\n"))
        #expect(seen.withLock { $0 }.hasSuffix(isGiven ? "hello" : "0"))
    }

    @Test("are sent unasked where leave does not come")
    func continueNeverComes() throws {
        var timeouts = patient
        timeouts.continue = .milliseconds(5)
        try ScriptedServer.run([{ connection in
            _ = connection.readHead()
            connection.send(connection.read(5) == "hello" ? ok : "")
        }]) { server in
            let request = ClientRequest(.put, "/", body: .bytes(Array("hello".utf8)), expectContinue: true)
            let response = try session(server, timeouts: timeouts).send(request)
            #expect(text(response.body) == "ok")
        }
    }

    @Test("end early where the answer comes early", arguments: [true, false], [true, false])
    func earlyAnswer(isChunked: Bool, closesAtOnce: Bool) throws {
        try ScriptedServer.run([
            { connection in
                _ = connection.readHead()
                connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
                // Closing with unread bytes resets the connection; the answer must not be lost with it.
                if !closesAtOnce { _ = connection.readToEnd() }
            },
            { connection in
                _ = connection.readHead()
                connection.send(ok)
            },
        ]) { server in
            let piece = [UInt8](repeating: 0, count: 200_000)
            let session = try session(server)
            let endless = ClientBody.stream(byteCount: isChunked ? nil : .max) { writer in
                while true { try writer.write(piece) }
            }
            let response = try session.send(ClientRequest(.put, "/", body: endless))
            #expect(response.status == .contentTooLarge)
            #expect(text(response.body) == "big")
            #expect(!response.sentWholeBody)
            #expect(try text(session.send(ClientRequest(.get, "/")).body) == "ok")
            #expect(server.connectionCount == 2)
        }
    }

    @Test("that fail end the request with their own error")
    func failing() throws {
        try ScriptedServer.run([{ _ = $0.readToEnd() }, { _ = $0.readToEnd() }, { _ = $0.readToEnd() }]) { server in
            let session = try session(server)
            let bodies: [ClientBody] = [
                .stream(byteCount: nil) { _ in throw Broken() },
                .stream(byteCount: 3) { try $0.write([1, 2]) },
                .stream(byteCount: 3) { try $0.write([1, 2, 3, 4]) },
            ]
            var causes: [String] = []
            for body in bodies {
                let error = #expect(throws: ClientError.self) { try session.send(ClientRequest(.put, "/", body: body)) }
                guard case .bodyFailed(let cause) = error else { Issue.record("\(String(describing: error))"); return }
                causes.append("\(cause)")
            }
            #expect(causes == ["Broken()", "3 bytes were announced, and 2 came", "3 bytes were announced, and 4 came"])
        }
    }
}

/// A body as tests list them.
enum BodyKind: Sendable {
    case none
    case bytes(String)
    case stream([String], byteCount: Int64?)
    case repeatableStream(String)

    var body: ClientBody {
        switch self {
        case .none: .none
        case .bytes(let text): .bytes(Array(text.utf8))
        case .stream(let pieces, let byteCount):
            .stream(byteCount: byteCount) { writer in
                for piece in pieces {
                    try writer.write(Array(piece.utf8))
                    try writer.flush()
                }
            }
        case .repeatableStream(let text):
            .stream(byteCount: Int64(text.utf8.count), isRepeatable: true) { try $0.write(Array(text.utf8)) }
        }
    }
}

func name(of error: ClientError?) -> String {
    switch error {
    case .malformedURL: "malformedURL"
    case .untrusted: "untrusted"
    case .proxyFailed: "proxyFailed"
    case .redirectRefused: "redirectRefused"
    case .unreachable: "unreachable"
    case .timedOut: "timedOut"
    case .disconnected: "disconnected"
    case .malformed: "malformed"
    case .tooLarge: "tooLarge"
    case .bodyFailed: "bodyFailed"
    case .receiverFailed: "receiverFailed"
    case nil: "none"
    }
}

private let hasLocalhost = (try? NameLookup.addresses(of: "localhost", port: 1))?.contains { $0.description == "127.0.0.1:1" } ?? false
private let hasIPv6 = (try? ScriptedServer.run([], family: AF_INET6) { _ in }) != nil
