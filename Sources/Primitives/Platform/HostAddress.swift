import Glibc

/// An Internet address without a port: who is at the other end.
package struct HostAddress: Hashable, Sendable, CustomStringConvertible {
    /// Network order: the IPv6 address, or the IPv4 address in its mapped form `::ffff:a.b.c.d`.
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads `192.0.2.1` or `2001:db8::1`, without brackets; nil for anything else.
    package init?(_ text: String) {
        var four = in_addr()
        if unsafe inet_pton(AF_INET, text, &four) == 1 {
            self.init(high: 0, low: 0xffff_0000_0000 | UInt64(UInt32(bigEndian: four.s_addr)))
            return
        }
        var six = in6_addr()
        guard unsafe inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        let (high, low) = unsafe withUnsafeBytes(of: six) { bytes in
            (unsafe bytes.loadUnaligned(as: UInt64.self), unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        self.init(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
    }

    package var isIPv4: Bool { high == 0 && low >> 32 == 0xffff }

    /// Whether it lies in a network.
    ///
    /// - Parameter bits: the length of the network's prefix: 0 to 32 for IPv4, 0 to 128 for IPv6.
    package func isIn(_ network: HostAddress, bits: Int) -> Bool {
        guard isIPv4 == network.isIPv4 else { return false }
        let whole = isIPv4 ? bits + 96 : bits
        let highMask = whole >= 64 ? UInt64.max : whole <= 0 ? 0 : ~(UInt64.max >> UInt64(whole))
        let lowMask = whole >= 128 ? UInt64.max : whole <= 64 ? 0 : ~(UInt64.max >> UInt64(whole - 64))
        return (high ^ network.high) & highMask == 0 && (low ^ network.low) & lowMask == 0
    }

    /// What one client has for sure: its IPv4 address, or the network of its IPv6 address, whose lower half it chooses itself
    /// (RFC 4291, section 2.5.4).
    package var network: HostAddress { isIPv4 ? self : HostAddress(high: high, low: 0) }

    package var description: String { SocketAddress(self, port: 0).host }
}

extension SocketAddress {
    /// Who it is, whatever the port and the family of the socket.
    package var hostAddress: HostAddress { HostAddress(high: high, low: low) }

    init(_ host: HostAddress, port: UInt16) {
        self.init(high: host.high, low: host.low, isIPv6: true, port: port, scope: 0)
    }
}
