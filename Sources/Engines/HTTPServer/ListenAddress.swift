import Platform

/// Why a text names no address to listen on.
package struct ListenAddressError: Error, Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package var description: String {
        "\(text) is no address to listen on; write host:port, such as [::]:8080, 127.0.0.1:8080 or localhost:8080, or unix:/path of a socket"
    }
}

/// Where to listen, as it is written in configurations: `[::]:8080`, `127.0.0.1:0`, `localhost:8080`, `unix:/run/tetryx/atticd.sock`; or a
/// socket that the process was started with.
package enum ListenAddress: Sendable, CustomStringConvertible {
    /// A name, an IPv4 address, or an IPv6 address without its brackets. The port 0 lets the kernel choose.
    case internet(host: String, port: UInt16)
    /// A socket with a path, for processes of this machine that may write to it.
    case local(path: String, permissions: UInt32)
    case passed(PassedSocket)

    /// Who may connect to a local socket where nothing is said: its user and group.
    package static let permissionsDefault: UInt32 = 0o660
    private static let localPrefix = "unix:"

    /// - Parameter permissions: of a local socket.
    /// - Throws: `ListenAddressError` where the text is not `host:port`, `[v6]:port` or `unix:/path`.
    package init(parsing text: String, permissions: UInt32 = permissionsDefault) throws(ListenAddressError) {
        if text.hasPrefix(Self.localPrefix) {
            let path = String(text.dropFirst(Self.localPrefix.count))
            // A relative path would be another one wherever the process is started.
            guard path.hasPrefix("/"), !path.hasSuffix("/"), path.utf8.count <= LocalSocket.pathByteCountMax, !path.utf8.contains(0) else {
                throw ListenAddressError(text: text)
            }
            self = .local(path: path, permissions: permissions)
            return
        }
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
        guard !host.isEmpty, host.utf8.allSatisfy(Self.isHostByte), portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(portText)
        else { throw ListenAddressError(text: text) }
        self = .internet(host: String(host), port: port)
    }

    /// What stands in names and addresses, an interface behind `%` included.
    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "%"): true
        default: false
        }
    }

    /// The port that clients are to name; nil where there is none, or it is not known here.
    package var port: UInt16? {
        if case .internet(_, let port) = self { port } else { nil }
    }

    package var description: String {
        switch self {
        case .internet(let host, let port): host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .local(let path, _): "\(Self.localPrefix)\(path)"
        case .passed(let socket): socket.name.isEmpty ? "a passed socket" : "the passed socket \(socket.name)"
        }
    }

    /// What looking at an address came to, where nothing is wrong with it.
    package enum Finding: Sendable {
        case isFree
        /// Of the addresses that it stands for none is free, and on one of them at least somebody listens.
        case isTaken
    }

    /// Whether it could be listened on, as far as that can be told without doing so.
    ///
    /// - Throws: where none of the addresses that it stands for can be; with the first cause.
    package func check() throws(SystemError) -> Finding {
        switch self {
        case .internet(let host, let port):
            var failure: SystemError?
            var isTaken = false
            for address in try SocketAddress.resolve(host: host, port: port) {
                do throws(SystemError) {
                    try ListeningSocket.check(address)
                    return .isFree
                } catch where error.errno == .addressInUse {
                    isTaken = true
                } catch { failure = failure ?? error }
            }
            if isTaken { return .isTaken }
            throw failure ?? SystemError("listen on", description, .noSuchFile)
        case .local(let path, _):
            let directory = File.parent(of: path)
            guard try File.status(directory).kind == .directory else { throw SystemError("listen on", path, .notDirectory) }
            guard File.isReadableAndWritable(directory) else { throw SystemError("listen on", path, .accessDenied) }
            return .isFree
        case .passed: return .isFree
        }
    }

    /// Opens listeners on every address that it stands for, each for `count` loops.
    ///
    /// - Throws: where none of the addresses can be listened on; with the first cause.
    func open(loops count: Int) throws(SystemError) -> [Listener] {
        switch self {
        case .internet(let host, let port):
            var addresses = try SocketAddress.resolve(host: host, port: port)
            // A port that the kernel chooses would be another one for each address of a name.
            if port == 0 { addresses = Array(addresses.prefix(1)) }
            var opened: [Listener] = []
            var failure: SystemError?
            for address in addresses {
                do throws(SystemError) { opened.append(try Listener(address, loops: count)) } catch { failure = failure ?? error }
            }
            if opened.isEmpty { throw failure ?? SystemError("listen on", description, .noSuchFile) }
            return opened
        case .local(let path, let permissions):
            let file = OpenFile(try LocalSocket.listen(path, permissions: permissions))
            return [Listener(name: description, shared: file, loops: count, file: try SocketFile(path))]
        case .passed(let socket):
            var name = description
            if let address = try? socket.file.descriptor.localAddress(), !address.isLocal { name += " (\(address))" }
            return [Listener(name: name, shared: socket.file, loops: count, file: nil)]
        }
    }
}

/// An address that is listened on, by every loop.
struct Listener: Sendable {
    /// The address, with the port that the kernel chose.
    let name: String
    /// One for each loop. On the Internet each is a socket of its own that shares the port, so that the kernel spreads connections; elsewhere
    /// all are one socket, and whichever loop comes first takes a connection.
    let sockets: [OpenFile]
    /// What lies in the file system for it.
    let file: SocketFile?

    init(name: String, shared socket: OpenFile, loops count: Int, file: SocketFile?) {
        self.name = name
        sockets = Array(repeating: socket, count: count)
        self.file = file
    }

    init(_ address: SocketAddress, loops count: Int) throws(SystemError) {
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
        var sockets = [first]
        while sockets.count < count { sockets.append(OpenFile(try ListeningSocket.open(bound, sharesPort: true))) }
        name = bound.description
        self.sockets = sockets
        file = nil
    }
}
