import Glibc

/// An address to connect to: what the kernel wants, and how people write it.
package struct ResolvedAddress: Hashable, Sendable, CustomStringConvertible {
    let family: Int32
    /// A sockaddr of that family.
    let bytes: [UInt8]
    /// `127.0.0.1:8080`, `[::1]:8080`
    package let description: String
}

/// Host names to addresses, by the system's resolver (getaddrinfo(3): /etc/hosts, DNS, whatever it is set up for).
package enum NameLookup {
    /// Why a name has no address.
    package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        package let host: String
        /// The resolver's sentence.
        package let cause: String
        package var description: String { "cannot find the address of \(host): \(cause)" }
    }

    /// All addresses of a host, in the order in which they should be tried. Blocks as long as the resolver does.
    ///
    /// - Parameters:
    ///   - host: a name, or an address of IPv4 or IPv6 without brackets.
    ///   - port: 1 to 65535.
    package static func addresses(of host: String, port: UInt16) throws(Failure) -> [ResolvedAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_NUMERICSERV
        var first: UnsafeMutablePointer<addrinfo>? = nil
        let code = unsafe getaddrinfo(host, String(port), &hints, &first)
        guard code == 0 else {
            if code == EAI_SYSTEM { throw Failure(host: host, cause: Errno.current.description) }
            throw unsafe Failure(host: host, cause: String(cString: gai_strerror(code)))
        }
        defer { unsafe freeaddrinfo(first) }
        var found: [ResolvedAddress] = []
        var next = unsafe first
        while let entry = unsafe next?.pointee {
            if let address = unsafe entry.ai_addr {
                let size = unsafe Int(entry.ai_addrlen)
                let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: address, count: size))
                let text = unsafe numericText(address, entry.ai_addrlen, family: entry.ai_family) ?? host
                unsafe found.append(ResolvedAddress(family: entry.ai_family, bytes: bytes, description: text))
            }
            unsafe next = entry.ai_next
        }
        return found
    }

    private static func numericText(
        _ address: UnsafeMutablePointer<sockaddr>, _ size: socklen_t, family: Int32
    ) -> String? {
        // NI_MAXHOST is 1025 and counts names; numbers with a scope are far shorter.
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { host in
            unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16) { port in
                guard let hostStart = host.baseAddress, let portStart = port.baseAddress else { return nil }
                let code = unsafe getnameinfo(
                    address, size, hostStart, socklen_t(host.count), portStart, socklen_t(port.count),
                    NI_NUMERICHOST | NI_NUMERICSERV)
                guard code == 0 else { return nil }
                let hostText = unsafe String(cString: hostStart)
                let portText = unsafe String(cString: portStart)
                return family == AF_INET6 ? "[\(hostText)]:\(portText)" : "\(hostText):\(portText)"
            }
        }
    }
}
