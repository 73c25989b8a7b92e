import HTTP
import Logging
import Platform
import Support
import Testing

@testable import HTTPServer

/// Servers that listen at a path of the file system, or at sockets that they were given.
@Suite struct ServerSocketFileTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.file("atticd.sock") }

    init() throws { directory = try TemporaryDirectory() }

    private func serve(
        _ address: ListenAddress, loops: Int = 2, limits: Limits = Limits(), _ answered: Monitor<AccessBatch> = Monitor(AccessBatch())
    ) throws -> Server {
        var log = Logger(label: "test")
        log.logLevel = .critical
        let server = try Server(
            listen: [address], limits: limits, handler: ClosureHandler(atOnce: { .text("\($0.target)") }, lane: .query) { echo($0) },
            loopCount: loops, log: log, accessLog: { new in answered.update { $0.append(new) } })
        server.start()
        return server
    }

    private func ask(_ client: RawConnection, _ number: Int = 1) throws {
        try client.send("GET /\(number) HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.receiveAnswer()?.text == "/\(number)")
    }

    @Test func aSocketWithAPathServesAndGoes() throws {
        let answered = Monitor(AccessBatch())
        let server = try serve(.local(path: path, permissions: 0o620), answered)
        #expect(server.boundAddresses == ["unix:\(path)"])
        let status = try File.linkStatus(path)
        #expect(status.isSocket && status.permissions == 0o620)
        // Several loops have it together: each of many connections is taken once.
        let clients = try (0..<20).map { _ in try RawConnection(local: path) }
        for (number, client) in clients.enumerated() { try ask(client, number) }
        #expect(server.drain(timeout: .seconds(30)))
        #expect(!File.exists(path))
        #expect(throws: SystemError.self) { _ = try RawConnection(local: path) }
        let records = answered.withLock { $0.records }
        #expect(records.count == 20)
        #expect(records.allSatisfy { $0.peer.isLocal && $0.peer.host == "local" })
        var text: [UInt8] = []
        records.first?.peer.appendHost(to: &text)
        #expect(String(decoding: text, as: UTF8.self) == "local")
    }

    @Test func processesOfTheMachineComeAsProxiesDo() throws {
        var limits = Limits()
        limits.clientConnectionsMax = 1
        limits.proxies = []
        let server = try serve(.local(path: path, permissions: 0o600), limits: limits)
        defer { server.drain(timeout: .zero) }
        let clients = try (0..<5).map { _ in try RawConnection(local: path) }
        for client in clients { try ask(client) }
        #expect(server.connectionCount == 5)
    }

    @Test func whatAKilledServerLeftThereIsReplaced() throws {
        // A listener that is closed leaves its file.
        do { _ = try LocalSocket.listen(path, permissions: 0o600) }
        #expect(File.exists(path))
        #expect(throws: SystemError("connect to", path, .connectionRefused)) { _ = try LocalSocket.connect(path) }
        let server = try serve(.local(path: path, permissions: 0o600))
        try ask(RawConnection(local: path))
        // One that is alive is not.
        #expect(throws: SystemError("listen on", path, .addressInUse)) { _ = try LocalSocket.listen(path, permissions: 0o600) }
        try ask(RawConnection(local: path))
        server.drain(timeout: .zero)
    }

    @Test func whatIsNoSocketStays() throws {
        try directory.write("atticd.sock", text: "somebody's")
        #expect(throws: SystemError("listen on", path, .fileExists)) { _ = try LocalSocket.listen(path, permissions: 0o600) }
        #expect(try File.readText(path) == "somebody's")
        let deep = directory.file("none/atticd.sock")
        #expect(throws: SystemError("listen on", deep, .noSuchFile)) { _ = try LocalSocket.listen(deep, permissions: 0o600) }
        #expect(throws: SystemError.self) { try ListenAddress.local(path: deep, permissions: 0o600).check() }
        _ = try ListenAddress.local(path: path, permissions: 0o600).check()
    }

    @Test func whatCannotBeListenedOnIsFoundWithoutListening() throws {
        // Of TEST-NET-1, which no machine has (RFC 5737).
        let error = #expect(throws: SystemError.self) { try ListenAddress(parsing: "192.0.2.7:8080").check() }
        #expect(error?.operation == "listen on" && error?.errno == .addressNotAvailable)
        #expect(try ListenAddress(parsing: "127.0.0.1:0").check() == .isFree)
        #expect(try ListenAddress(parsing: "[::]:0").check() == .isFree)
        let listener = try ListeningSocket.open(.any(port: 0), sharesPort: false)
        let port = try listener.localAddress().port
        #expect(try ListenAddress(parsing: "[::]:\(port)").check() == .isTaken)
        #expect(try ListenAddress(parsing: "127.0.0.1:\(port)").check() == .isTaken)
        _ = consume listener
    }

    @Test func aServerThatTookThePlaceKeepsItsFile() throws {
        let server = try serve(.local(path: path, permissions: 0o600))
        try File.rename(path, to: directory.file("aside"))
        let other = try serve(.local(path: path, permissions: 0o600))
        server.drain(timeout: .zero)
        try ask(RawConnection(local: path))
        other.drain(timeout: .zero)
        #expect(!File.exists(path))
    }

    @Test func socketsThatWerePassedAreServedByAllLoops() throws {
        // One with a path, and one of the Internet.
        let local = PassedSocket(name: "atticd.socket", file: OpenFile(try LocalSocket.listen(path, permissions: 0o600)))
        let server = try serve(.passed(local))
        #expect(server.boundAddresses == ["the passed socket atticd.socket"])
        for number in 0..<10 { try ask(RawConnection(local: path), number) }
        server.drain(timeout: .seconds(30))
        // It belongs to who passed it.
        #expect(File.exists(path))

        let internet = PassedSocket(name: "", file: OpenFile(try ListeningSocket.open(SocketAddress.resolve(host: "127.0.0.1", port: 0)[0], sharesPort: false)))
        let address = try internet.file.descriptor.localAddress().description
        let other = try serve(.passed(internet))
        #expect(other.boundAddresses == ["a passed socket (\(address))"])
        for number in 0..<10 { try ask(RawConnection(to: address), number) }
        other.drain(timeout: .seconds(30))
    }

    @Test func aPassedSocketWhoseOwnerKeepsItWakesNobodyWhoHasClosedIt() throws {
        let listener = OpenFile(try LocalSocket.listen(path, permissions: 0o600))
        let epoll = try Epoll()
        var acceptor = Acceptor(listeners: [listener])
        try acceptor.listen(epoll)
        let client = try RawConnection(local: path)
        var events: [Epoll.Event] = []
        epoll.wait(into: &events, timeout: .seconds(30))
        #expect(events.count == 1)
        acceptor.close(epoll)
        epoll.wait(into: &events, timeout: .zero)
        #expect(events.isEmpty)
        withExtendedLifetime((client, listener)) {}
    }

    @Test func aServerIsAliveWhileItsLoopsTakeMail() throws {
        let server = try serve(.local(path: path, permissions: 0o600))
        #expect(server.isAlive(within: .seconds(30)))
        server.drain(timeout: .zero)
    }
}
