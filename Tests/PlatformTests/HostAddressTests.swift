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

    @Test(arguments: [
        ("10.1.2.3", "10.0.0.0", 8, true), ("11.1.2.3", "10.0.0.0", 8, false), ("10.1.2.3", "10.1.2.3", 32, true), ("10.1.2.2", "10.1.2.3", 32, false),
        ("10.1.2.2", "10.1.2.3", 31, true), ("192.0.2.1", "0.0.0.0", 0, true), ("::1", "0.0.0.0", 0, false), ("192.0.2.1", "::", 0, false),
        ("2001:db8::1", "2001:db8::", 32, true), ("2001:db9::1", "2001:db8::", 32, false), ("2001:db8::1", "2001:db8::2", 64, true),
        ("2001:db8:0:1::1", "2001:db8::2", 64, false), ("2001:db8::1", "2001:db8::2", 127, false), ("2001:db8::3", "2001:db8::2", 127, true),
        ("2001:db8::1", "2001:db8::1", 128, true), ("ffff::", "::", 0, true), ("8000::", "::", 1, false),
    ])
    func liesInANetworkOrNot(address: String, network: String, bits: Int, isIn: Bool) throws {
        #expect(try #require(HostAddress(address)).isIn(#require(HostAddress(network)), bits: bits) == isIn)
    }
}
