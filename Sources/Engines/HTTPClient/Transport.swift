import Platform

/// A connection that carries bytes both ways; what lies between HTTP and the socket, so that an encrypted one can
/// take its place. One thread uses it at a time; no call but `wait` blocks.
package protocol Transport: AnyObject, Sendable {
    /// Waits until something of `interest` can go on; empty at `deadline`.
    func wait(
        for interest: ClientSocket.Readiness, until deadline: MonotonicTime
    ) throws(Errno) -> ClientSocket.Readiness
    /// Receives what is there; 0 at the end, nil where nothing has come yet.
    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int?
    /// Sends some of the bytes; how many, nil where none can go now.
    func send(_ bytes: UnsafeRawBufferPointer, more: Bool) throws(Errno) -> Int?
    /// Sends some of a file from `offset` on; how many bytes, 0 where the file ends, nil where none can go now.
    func sendFile(_ file: borrowing FileDescriptor, at offset: Int64, byteCountMax: Int) throws(Errno) -> Int?
}

/// Plain TCP.
final class PlainTransport: Transport {
    private let socket: ClientSocket

    init(_ socket: consuming ClientSocket) { self.socket = socket }

    func wait(
        for interest: ClientSocket.Readiness, until deadline: MonotonicTime
    ) throws(Errno) -> ClientSocket.Readiness {
        try socket.wait(for: interest, until: deadline)
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
        try unsafe socket.receive(into: buffer)
    }

    func send(_ bytes: UnsafeRawBufferPointer, more: Bool) throws(Errno) -> Int? {
        try unsafe socket.send(bytes, more: more)
    }

    func sendFile(_ file: borrowing FileDescriptor, at offset: Int64, byteCountMax: Int) throws(Errno) -> Int? {
        try socket.sendFile(file, at: offset, byteCountMax: byteCountMax)
    }
}

extension PlainTransport {
    /// Addresses of one host that are tried: each may take the whole time for a connection.
    private static let addressesMax = 8

    /// Connects to the first address of the endpoint that answers.
    ///
    /// - Throws: `ClientError.unreachable` with what the last address said.
    static func connect(to endpoint: HTTPURL, timeout: Duration) throws(ClientError) -> any Transport {
        let host = endpoint.authority
        let addresses: [ResolvedAddress]
        do { addresses = try NameLookup.addresses(of: endpoint.host, port: endpoint.port) } catch {
            throw .unreachable(host: host, cause: error.cause)
        }
        var causes: [String] = []
        for address in addresses.prefix(addressesMax) {
            do throws(Errno) {
                return PlainTransport(try ClientSocket.connect(to: address, until: .now + timeout))
            } catch {
                // A host that was given as an address has been named already.
                let isTheHost = [host, "\(host):\(endpoint.port)"].contains("\(address)")
                causes.append(isTheHost ? "\(error)" : "\(address): \(error)")
            }
        }
        throw .unreachable(host: host, cause: causes.isEmpty ? "it has no address" : causes.joined(separator: "; "))
    }
}
