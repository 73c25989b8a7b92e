import Platform

/// Why a text names no address to listen on.
package struct ListenAddressError: Error, Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package var description: String {
        "\(text) is no address to listen on; write host:port, such as [::]:8080, 127.0.0.1:8080 or localhost:8080"
    }
}

/// Where to listen, as it is written in configurations: `[::]:8080`, `127.0.0.1:0`, `localhost:8080`.
package struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// A name, an IPv4 address, or an IPv6 address without its brackets.
    package let host: String
    /// 0 lets the kernel choose.
    package let port: UInt16

    /// - Throws: `ListenAddressError` where the text is not `host:port` or `[v6]:port`.
    package init(parsing text: String) throws(ListenAddressError) {
        let bytes = text.utf8
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")) else { throw ListenAddressError(text: text) }
        let portText = text[bytes.index(after: colon)...]
        var host = text[..<colon]
        if host.hasPrefix("[") && host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.utf8.contains(UInt8(ascii: ":")) else { throw ListenAddressError(text: text) }
        } else if host.utf8.contains(UInt8(ascii: ":")) {
            // An IPv6 address without brackets: where its port begins is anyone's guess.
            throw ListenAddressError(text: text)
        }
        guard !host.isEmpty, portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(portText) else {
            throw ListenAddressError(text: text)
        }
        self.host = String(host)
        self.port = port
    }

    package var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Opens listeners on every address that the host stands for: an array for each, with `copies` listeners that
    /// share its port.
    ///
    /// - Throws: where none of the addresses can be listened on; with the first cause.
    func open(copies: Int) throws(SystemError) -> [[OpenFile]] {
        var addresses = try SocketAddress.resolve(host: host, port: port)
        // A port that the kernel chooses would be another one for each address of a name.
        if port == 0 { addresses = Array(addresses.prefix(1)) }
        var opened: [[OpenFile]] = []
        var failure: SystemError?
        for address in addresses {
            do throws(SystemError) {
                opened.append(try Self.open(address, copies: copies))
            } catch { failure = failure ?? error }
        }
        if opened.isEmpty { throw failure ?? SystemError("listen on", description, .noSuchFile) }
        return opened
    }

    private static func open(_ address: SocketAddress, copies: Int) throws(SystemError) -> [OpenFile] {
        if address.port != 0 {
            // Listeners that share a port share it with other processes of the same user too, which then get half of
            // the connections. One that does not share finds out whether anyone is there.
            _ = try ListeningSocket.open(address, sharesPort: false)
        }
        let first = OpenFile(try ListeningSocket.open(address, sharesPort: true))
        var bound = address
        do { bound = try first.descriptor.localAddress() } catch {
            throw SystemError("listen on", address.description, error)
        }
        var listeners = [first]
        while listeners.count < copies { listeners.append(OpenFile(try ListeningSocket.open(bound, sharesPort: true))) }
        return listeners
    }
}
