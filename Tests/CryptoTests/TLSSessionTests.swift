import Crypto
import Support
import Testing

/// Both sides of a connection, with nothing but memory between them.
private struct Pair {
    let client: TLSSession
    let server: TLSSession
    /// The most bytes that go from one side to the other at once.
    var pieceBytes = 1 << 20

    init(_ authority: TestAuthority, _ identity: TestAuthority.Identity, host: String = "localhost", isAddress: Bool = false, isOld: Bool = false) throws {
        try self.init(TLSTrust(file: authority.certificate, directory: nil, source: "ca.pem"), identity, host: host, isAddress: isAddress, isOld: isOld)
    }

    init(_ trust: TLSTrust, _ identity: TestAuthority.Identity, host: String = "localhost", isAddress: Bool = false, isOld: Bool = false) throws {
        client = try TLSSession(to: host, isAddress: isAddress, trust: trust)
        server = TLSSession(serving: try TLSIdentity(certificates: identity.certificates, key: identity.key, isOld: isOld))
    }

    /// Moves one piece; how many bytes there were.
    func move(_ from: TLSSession, _ to: TLSSession) -> Int {
        var room = [UInt8](repeating: 0, count: pieceBytes)
        let count = unsafe room.withUnsafeMutableBytes { unsafe from.take(into: $0) }
        unsafe room.withUnsafeBytes { unsafe to.feed(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        return count
    }

    /// Brings the handshake to its end.
    func shakeHands() throws {
        var (isClientDone, isServerDone) = (false, false)
        while true {
            if !isClientDone { isClientDone = try client.shakeHands() }
            let went = move(client, server)
            if !isServerDone { isServerDone = (try? server.shakeHands()) ?? false }
            let came = move(server, client)
            if isClientDone && isServerDone && went + came == 0 { return }
            if went + came == 0 { throw Stuck() }
        }
    }

    struct Stuck: Error {}

    /// What the client says of the handshake.
    func verdict() -> String {
        do { try shakeHands() } catch { return "\(error)" }
        return "trusted"
    }
}

extension TLSSession {
    fileprivate func write(_ bytes: [UInt8]) throws { try unsafe bytes.withUnsafeBytes { try unsafe write($0) } }

    /// Nil where more has to come, empty at the end.
    fileprivate func read(_ byteCountMax: Int = 1 << 20) throws -> [UInt8]? {
        var room = [UInt8](repeating: 0, count: byteCountMax)
        return try unsafe room.withUnsafeMutableBytes { try unsafe read(into: $0) }.map { Array(room[..<$0]) }
    }
}

@Suite("TLS") struct TLSSessionTests {
    private let authority: TestAuthority

    init() throws { authority = try TestAuthority() }

    @Test("Bytes arrive as they were written, in whatever pieces they travel", arguments: [1, 7, 1000, 1 << 20])
    func roundTrip(pieceBytes: Int) throws {
        var pair = try Pair(authority, authority.issue("DNS:localhost"))
        pair.pieceBytes = pieceBytes
        try pair.shakeHands()
        #expect(pair.client.agreedProtocol == "http/1.1")
        #expect(pair.server.serverName == "localhost")
        let sent = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try pair.client.write(sent)
        #expect(pair.client.outgoingByteCount > sent.count)
        var received: [UInt8] = []
        while pair.move(pair.client, pair.server) > 0 {
            while let bytes = try pair.server.read() { received += bytes }
        }
        #expect(received == sent)
        #expect(!pair.client.hasNews())
        try pair.server.write(Array("answer".utf8))
        pair.server.end()
        while pair.move(pair.server, pair.client) > 0 {}
        #expect(pair.client.hasNews())
        #expect(try pair.client.read() == Array("answer".utf8))
        #expect(try pair.client.read() == [])
    }

    @Test("A connection that ends without a word is cut, and no end", arguments: [true, false])
    func truncation(isWithinRecord: Bool) throws {
        let pair = try Pair(authority, authority.issue("DNS:localhost"))
        try pair.shakeHands()
        try pair.server.write(Array("all that came".utf8))
        var record = [UInt8](repeating: 0, count: pair.server.outgoingByteCount)
        _ = unsafe record.withUnsafeMutableBytes { unsafe pair.server.take(into: $0) }
        if isWithinRecord { record.removeLast() }
        unsafe record.withUnsafeBytes { unsafe pair.client.feed($0) }
        pair.client.feedEnd()
        if !isWithinRecord { #expect(try pair.client.read() == Array("all that came".utf8)) }
        #expect(pair.client.hasNews())
        #expect(throws: TLSError.cut) { try pair.client.read() }
        #expect(pair.client.hasNews())
    }

    @Test("A handshake that breaks off is cut") func cutHandshake() throws {
        let pair = try Pair(authority, authority.issue("DNS:localhost"))
        #expect(try pair.client.shakeHands() == false)
        pair.client.feedEnd()
        #expect(throws: TLSError.cut) { try pair.client.shakeHands() }
    }

    @Test("A byte that was changed on the way ends the connection", arguments: [5, 20])
    func changed(place: Int) throws {
        let pair = try Pair(authority, authority.issue("DNS:localhost"))
        try pair.shakeHands()
        try pair.server.write(Array("something".utf8))
        var record = [UInt8](repeating: 0, count: pair.server.outgoingByteCount)
        _ = unsafe record.withUnsafeMutableBytes { unsafe pair.server.take(into: $0) }
        record[place] ^= 1
        unsafe record.withUnsafeBytes { unsafe pair.client.feed($0) }
        #expect(throws: TLSError.self) { try pair.client.read() }
    }

    /// `DNS:localhost` with a NUL and more behind it: what an authority that reads C strings takes for localhost.
    private static let namesWithNUL = "DER:30:10:82:0e:6c:6f:63:61:6c:68:6f:73:74:00:2e:61:62:63"

    @Test("A certificate is for the names that it has, and for no others", arguments: [
        ("cache.example.org", false, "DNS:cache.example.org", "other", true),
        ("CACHE.example.org", false, "DNS:cache.EXAMPLE.org", "other", true),
        ("cache.example.org.", false, "DNS:cache.example.org", "other", true),
        ("cache.example.org", false, "DNS:*.example.org", "other", true),
        ("a.cache.example.org", false, "DNS:*.example.org", "other", false),
        ("example.org", false, "DNS:*.example.org", "other", false),
        ("cache.example.org", false, "DNS:c*.example.org", "other", false),
        ("example.org", false, "DNS:*.org", "other", false),
        ("cache.example.org", false, "DNS:*", "other", false),
        ("cache.example.org.evil.example", false, "DNS:cache.example.org", "other", false),
        ("cache.example.org", false, "DNS:evil.example", "cache.example.org", false),
        ("cache.example.org", false, nil, "cache.example.org", false),
        ("localhost", false, namesWithNUL, "other", false),
        ("127.0.0.1", true, "IP:127.0.0.1", "other", true),
        ("127.0.0.1", true, "DNS:127.0.0.1", "127.0.0.1", false),
        ("127.0.0.1", true, "IP:127.0.0.2", "other", false),
        ("::1", true, "IP:::1", "other", true),
        ("::2", true, "IP:::1", "other", false),
    ] as [(String, Bool, String?, String, Bool)])
    func names(host: String, isAddress: Bool, names: String?, commonName: String, isRight: Bool) throws {
        let pair = try Pair(authority, authority.issue(names, commonName: commonName), host: host, isAddress: isAddress)
        let verdict = pair.verdict()
        let name = host.hasSuffix(".") ? String(host.dropLast()) : host
        #expect(isRight ? verdict == "trusted" : verdict.hasPrefix("its certificate is not for \(name) but for "), "\(verdict)")
        #expect(pair.server.serverName == (isAddress ? nil : name))
        #expect(verdict.utf8.count < 400)
    }

    @Test("Hosts that no certificate could have are refused before anything is sent", arguments: [
        ("", false), ("a\0.example.org", false), ("", true), ("127.1", true), ("localhost", true),
    ])
    func hosts(host: String, isAddress: Bool) throws {
        let trust = try TLSTrust(file: authority.certificate, directory: nil, source: "ca.pem")
        #expect(throws: TLSError.self) { try TLSSession(to: host, isAddress: isAddress, trust: trust) }
    }

    @Test("What is wrong with a certificate is said with what to do") func reasons() throws {
        let expired = try Pair(authority, authority.issue("DNS:localhost", days: -1)).verdict()
        #expect(expired.hasPrefix("its certificate expired on ") && expired.hasSuffix(" GMT; it has to be renewed, or the clock here is wrong"))
        let alone = try Pair(authority, authority.issue("DNS:localhost", isSelfSigned: true)).verdict()
        #expect(alone.hasPrefix("its certificate is self-signed, and not among those of ca.pem; "))
        let stranger = try Pair(authority, TestAuthority(named: "Nobody\u{7}").issue("DNS:localhost")).verdict()
        #expect(stranger.hasPrefix("its certificate was issued by \"CN = Nobody\\07\", which is not among the authorities of ca.pem; "), "\(stranger)")
        let namesake = try Pair(authority, TestAuthority().issue("DNS:localhost")).verdict()
        #expect(namesake.hasPrefix("its certificate "), "\(namesake)")
        let old = try Pair(authority, authority.issue("DNS:localhost"), isOld: true).verdict()
        #expect(old == "it speaks no version of TLS from 1.2 on")
    }

    @Test("A certificate that is named is believed, whoever issued it", arguments: [true, false])
    func named(isSelfSigned: Bool) throws {
        let identity = try authority.issue("DNS:localhost", isSelfSigned: isSelfSigned)
        let trust = try TLSTrust(file: identity.certificates, directory: nil, source: "ca.pem")
        let pair = try Pair(trust, identity)
        #expect(pair.verdict() == "trusted")
        let other = try Pair(trust, authority.issue("DNS:localhost"))
        #expect(other.verdict().hasPrefix("its certificate was issued by \"CN = Test Authority\""))
    }

    @Test("A certificate that is for clients is not for a server") func purpose() throws {
        let verdict = try Pair(authority, authority.issue("DNS:localhost\nextendedKeyUsage=clientAuth")).verdict()
        #expect(verdict.hasPrefix("its certificate is not trusted ("), "\(verdict)")
    }

    @Test("What is no TLS is said to be none", arguments: ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\u{0}\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}"])
    func noTLS(text: String) throws {
        let pair = try Pair(authority, authority.issue("DNS:localhost"))
        #expect(try pair.client.shakeHands() == false)
        unsafe Array(text.utf8).withUnsafeBytes { unsafe pair.client.feed($0) }
        let error = #expect(throws: TLSError.self) { try pair.client.shakeHands() }
        #expect(error == .failed("what it sends is not TLS; is its URL one of http://, or its port another?"), "\(String(describing: error))")
    }

    @Test("Authorities that cannot be read are named") func unreadable() throws {
        let directory = try TemporaryDirectory()
        let error = #expect(throws: TLSError.self) {
            try TLSTrust(file: directory.file("none"), directory: nil, source: "none (SSL_CERT_FILE)")
        }
        #expect(error?.description.hasPrefix("no certificates of authorities can be read from none (SSL_CERT_FILE): ") == true)
        let empty = try directory.write("empty", text: "nothing")
        #expect(throws: TLSError.self) { try TLSTrust(file: empty, directory: nil, source: "empty") }
    }
}
