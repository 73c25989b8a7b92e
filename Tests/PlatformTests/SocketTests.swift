import Platform
import Support
import Testing

@Suite struct SocketTests {
    @Test("A host's text is the same whichever way it is made", arguments: ["127.0.0.1", "10.20.100.255", "0.0.0.9", "::1", "2001:db8::7"])
    func hosts(text: String) throws {
        let address = try #require(try SocketAddress.resolve(host: text, port: 1).first)
        var bytes: [UInt8] = []
        address.appendHost(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == address.host && address.host == text)
    }

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80"), ("::", "[::]:80"), ("0.0.0.0", "0.0.0.0:80"),
        ("2001:db8::1", "[2001:db8::1]:80"),
    ])
    func anAddressReadsAsItWasWritten(host: String, text: String) throws {
        #expect(try SocketAddress.resolve(host: host, port: 80).map(\.description) == [text])
    }

    @Test func aHostThatIsNotThereIsNamedWithTheResolversReason() {
        let error = #expect(throws: SystemError.self) { try SocketAddress.resolve(host: "no such host", port: 1) }
        let lookup = #expect(throws: NameLookup.Failure.self) { try NameLookup.addresses(of: "no such host", port: 1) }
        #expect(error?.description == lookup?.description && error?.description.hasSuffix(Errno.addressNotAvailable.description) == false)
    }

    @Test func aListenerOnPortZeroKnowsItsPort() throws {
        let address = try #require(try SocketAddress.resolve(host: "127.0.0.1", port: 0).first)
        let listener = try ListeningSocket.open(address, sharesPort: false)
        let bound = try listener.localAddress()
        #expect(bound.port != 0)
        #expect(bound.host == "127.0.0.1")
        #expect(throws: SystemError("listen on", bound.description, .addressInUse)) {
            _ = try ListeningSocket.open(bound, sharesPort: false)
        }
        #expect(try listener.accept() == nil)
    }

    @Test func mailWakesAnEpollAndIsTakenInOrder() throws {
        let epoll = try Epoll()
        let mailbox = try Mailbox<Int>()
        try epoll.add(mailbox.descriptor, .read, cookie: 7)
        var events: [Epoll.Event] = []
        epoll.wait(into: &events, timeout: .zero)
        #expect(events.isEmpty)
        let thread = ThreadHandle(named: "poster") { for number in 0..<100 { mailbox.post(number) } }
        var taken: [Int] = []
        while taken.count < 100 {
            epoll.wait(into: &events, timeout: .seconds(30))
            #expect(events.map(\.cookie) == [7])
            taken += mailbox.drain()
        }
        thread.join()
        #expect(taken == Array(0..<100))
    }

    @Test func aBufferGivesBackWhatItWasFilledWith() {
        var buffer = ByteBuffer(capacity: 8)
        let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
        #expect(unsafe bytes.withUnsafeBytes { unsafe buffer.append($0) } == 8)
        buffer.take(5)
        #expect(unsafe Array(buffer.bytes) == [6, 7, 8])
        #expect(buffer.roomByteCount == 0)
        buffer.compact()
        #expect(buffer.roomByteCount == 5)
        #expect(unsafe Array(buffer.bytes) == [6, 7, 8])
        buffer.take(3)
        #expect(buffer.isEmpty && buffer.roomByteCount == 8)
    }
}
