import Testing

@testable import HTTPServer

@Suite struct ListenAddressTests {
    @Test(arguments: [
        ("[::]:8080", "::", 8080), ("127.0.0.1:0", "127.0.0.1", 0), ("localhost:65535", "localhost", 65535),
        ("[2001:db8::1]:80", "2001:db8::1", 80), ("[::1]:0", "::1", 0), ("0.0.0.0:80", "0.0.0.0", 80), ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
    ])
    func anAddressIsReadAndWrittenBack(text: String, host: String, port: Int) throws {
        let address = try ListenAddress(parsing: text)
        guard case .internet(let readHost, let readPort) = address else {
            Issue.record("\(text) is of the Internet")
            return
        }
        #expect(readHost == host && Int(readPort) == port && address.port == readPort)
        #expect(address.description == text)
    }

    @Test func aPathIsReadAndWrittenBack() throws {
        let address = try ListenAddress(parsing: "unix:/run/tetryx/atticd.sock", permissions: 0o600)
        guard case .local("/run/tetryx/atticd.sock", permissions: 0o600) = address else {
            Issue.record("it is a path")
            return
        }
        #expect(address.description == "unix:/run/tetryx/atticd.sock" && address.port == nil)
        let longest = "unix:/" + String(repeating: "x", count: 106)
        #expect(try ListenAddress(parsing: longest).description == longest)
        #expect(throws: ListenAddressError(text: longest + "x")) { try ListenAddress(parsing: longest + "x") }
    }

    @Test(arguments: ["unix:", "unix:relative.sock", "unix:/", "unix:/directory/", "unix:/a\0b", "UNIX:/a", "", "8080", ":8080", "host", "host:", "host:65536", "host:+1", "host:-1", "::1:80", "[host]:80", "[]:80", "[::1:80", "[::1]x:80", "[::1 ]:80", "localhost:", "a b:80", "http://x:80", "h\u{F6}st:80"])
    func whatIsNoAddressIsRefused(text: String) {
        #expect(throws: ListenAddressError(text: text)) { try ListenAddress(parsing: text) }
    }
}
