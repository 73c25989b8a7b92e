import Glibc

/// An Internet address with its port: where a socket listens, or who connected; or that it was a process of this machine.
package struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// Network order: the IPv6 address, or the IPv4 address in its mapped form `::ffff:a.b.c.d`.
    let high: UInt64
    let low: UInt64
    /// Whether the socket speaks IPv6 (which an IPv4 peer may do through a listener on `[::]`).
    package let isIPv6: Bool
    package let port: UInt16
    private let scope: UInt32

    /// `[::]`: every address of the machine, in both families.
    package static func any(port: UInt16) -> SocketAddress { SocketAddress(high: 0, low: 0, isIPv6: true, port: port, scope: 0) }
    /// `0.0.0.0`: every IPv4 address of the machine.
    package static func anyIPv4(port: UInt16) -> SocketAddress {
        SocketAddress(high: 0, low: 0xffff_0000_0000, isIPv6: false, port: port, scope: 0)
    }

    /// Whoever connects to a socket that has a path: a process of this machine. No IPv4 address has this form.
    package static let local = SocketAddress(high: 0, low: 0, isIPv6: false, port: 0, scope: 0)
    package var isLocal: Bool { self == .local }

    init(high: UInt64, low: UInt64, isIPv6: Bool, port: UInt16, scope: UInt32) {
        self.high = high
        self.low = low
        self.isIPv6 = isIPv6
        self.port = port
        self.scope = scope
    }

    /// The same address with another port.
    package func withPort(_ port: UInt16) -> SocketAddress {
        SocketAddress(high: high, low: low, isIPv6: isIPv6, port: port, scope: scope)
    }

    package var isAny: Bool { high == 0 && (isIPv6 ? low == 0 : low == 0xffff_0000_0000) }

    /// The addresses of a host, as getaddrinfo(3) orders them.
    ///
    /// - Throws: `SystemError` that names the host and gives the resolver's reason, as `NameLookup` does; the number is
    ///   `.addressNotAvailable` where the system has none for it.
    package static func resolve(host: String, port: UInt16) throws(SystemError) -> [SocketAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, nil, &hints, &list)
        if code == EAI_SYSTEM { throw SystemError("find the address of", host, Errno.current) }
        if code != 0 {
            throw unsafe SystemError("find the address of", host, .addressNotAvailable, cause: String(cString: gai_strerror(code)))
        }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = unsafe list
        while let entry = unsafe next {
            if let raw = unsafe entry.pointee.ai_addr, let address = unsafe SocketAddress(raw) {
                let placed = address.withPort(port)
                if !addresses.contains(placed) { addresses.append(placed) }
            }
            unsafe next = entry.pointee.ai_next
        }
        return addresses
    }

    /// Reads what the kernel wrote; nil for families that are neither the Internet's nor local.
    init?(_ raw: UnsafePointer<sockaddr>) {
        let pointer = unsafe UnsafeRawPointer(raw)
        switch Int32(unsafe raw.pointee.sa_family) {
        case AF_INET:
            let address = unsafe pointer.loadUnaligned(as: sockaddr_in.self)
            let mapped = 0xffff_0000_0000 | UInt64(UInt32(bigEndian: address.sin_addr.s_addr))
            self.init(high: 0, low: mapped, isIPv6: false, port: UInt16(bigEndian: address.sin_port), scope: 0)
        case AF_INET6:
            let address = unsafe pointer.loadUnaligned(as: sockaddr_in6.self)
            let (high, low) = unsafe withUnsafeBytes(of: address.sin6_addr) { bytes in
                (unsafe bytes.loadUnaligned(as: UInt64.self), unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            }
            self.init(
                high: UInt64(bigEndian: high), low: UInt64(bigEndian: low), isIPv6: true,
                port: UInt16(bigEndian: address.sin6_port), scope: address.sin6_scope_id)
        case AF_UNIX:
            self = .local
        default:
            return nil
        }
    }

    /// Appends `host`, without making a string where it is an IPv4 address.
    package func appendHost(to bytes: inout [UInt8]) {
        guard high == 0, low >> 32 == 0xffff else { return bytes.append(contentsOf: host.utf8) }
        for shift in stride(from: 24, through: 0, by: -8) {
            let number = UInt8(truncatingIfNeeded: low >> UInt64(shift))
            if number >= 100 { bytes.append(0x30 + number / 100) }
            if number >= 10 { bytes.append(0x30 + number / 10 % 10) }
            bytes.append(0x30 + number % 10)
            if shift > 0 { bytes.append(UInt8(ascii: ".")) }
        }
    }

    /// Whether both are addresses of one host, whatever their ports.
    package func isOfSameHost(as other: SocketAddress) -> Bool {
        high == other.high && low == other.low && scope == other.scope
    }

    /// Lends the address in the kernel's form.
    func withRaw<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        if isIPv6 {
            var raw = sockaddr_in6()
            raw.sin6_family = sa_family_t(AF_INET6)
            raw.sin6_port = port.bigEndian
            raw.sin6_scope_id = scope
            unsafe withUnsafeMutableBytes(of: &raw.sin6_addr) { bytes in
                unsafe bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
                unsafe bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            return unsafe Self.lend(&raw, body)
        }
        var raw = sockaddr_in()
        raw.sin_family = sa_family_t(AF_INET)
        raw.sin_port = port.bigEndian
        raw.sin_addr.s_addr = UInt32(truncatingIfNeeded: low).bigEndian
        return unsafe Self.lend(&raw, body)
    }

    private static func lend<Raw, Result>(_ raw: inout Raw, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        unsafe withUnsafePointer(to: &raw) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<Raw>.size))
            }
        }
    }

    /// The host alone: `127.0.0.1`, `2001:db8::1`; `local`. An IPv4 peer reads as such however it came in.
    package var host: String {
        if isLocal { return "local" }
        if !isIPv6 || (high == 0 && low >> 32 == 0xffff) {
            return [24, 16, 8, 0].map { String(low >> $0 & 0xff) }.joined(separator: ".")
        }
        var address = in6_addr()
        unsafe withUnsafeMutableBytes(of: &address) { bytes in
            unsafe bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
            unsafe bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
            guard let base = text.baseAddress,
                unsafe inet_ntop(AF_INET6, &address, base, socklen_t(text.count)) != nil
            else { return "" }
            return unsafe String(cString: base)
        }
    }

    /// `127.0.0.1:8080`, `[2001:db8::1]:8080`; `local`.
    package var description: String {
        if isLocal { return "local" }
        let host = host
        return host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
