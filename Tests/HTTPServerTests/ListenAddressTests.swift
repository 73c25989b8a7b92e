import Testing

@testable import HTTPServer

@Suite struct ListenAddressTests {
    @Test(arguments: [
        ("[::]:8080", "::", 8080), ("127.0.0.1:0", "127.0.0.1", 0), ("localhost:65535", "localhost", 65535),
        ("[2001:db8::1]:80", "2001:db8::1", 80),
    ])
    func anAddressIsReadAndWrittenBack(text: String, host: String, port: Int) throws {
        let address = try ListenAddress(parsing: text)
        #expect(address.host == host)
        #expect(Int(address.port) == port)
        #expect(address.description == text)
    }

    @Test(arguments: ["", "8080", ":8080", "host", "host:", "host:65536", "host:+1", "host:-1", "::1:80", "[host]:80", "[]:80"])
    func whatIsNoAddressIsRefused(text: String) {
        #expect(throws: ListenAddressError(text: text)) { try ListenAddress(parsing: text) }
    }
}
