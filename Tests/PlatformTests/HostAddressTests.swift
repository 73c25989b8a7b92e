import Platform
import Testing

@Suite struct HostAddressTests {
    @Test(arguments: ["127.0.0.1", "192.0.2.255", "::1", "2001:db8::1", "fe80::1:2"])
    func readsBackAsWritten(text: String) { #expect(HostAddress(text)?.description == text) }

    @Test(arguments: ["", "localhost", "1.2.3", "1.2.3.4:80", "[::1]", "::1%lo", "1.2.3.4/8", " 1.2.3.4", "1.2.3.04"])
    func anythingElseIsNone(text: String) { #expect(HostAddress(text) == nil) }

    @Test func anIPv4AddressIsTheSameWhicheverSocketItCameInBy() {
        #expect(HostAddress("::ffff:192.0.2.1") == HostAddress("192.0.2.1"))
    }

    @Test func aClientHasAnIPv4AddressOrAnIPv6Network() throws {
        func network(_ text: String) throws -> HostAddress { try #require(HostAddress(text)).network }
        #expect(try network("2001:db8:1:2:3:4:5:6") == network("2001:db8:1:2:ffff::"))
        #expect(try network("2001:db8:1:2::1") != network("2001:db8:1:3::1"))
        #expect(try network("192.0.2.1") != network("192.0.2.2"))
    }
}
