import Platform

/// Connections that were used once, and are kept open until `close`.
///
/// Thread: one.
final class IdleConnections {
    private final class Kept {
        let socket: ClientSocket
        init(_ socket: consuming ClientSocket) { self.socket = socket }
    }

    private var kept: [Kept] = []

    /// How many the server took and answered on.
    var count: Int { kept.count }

    /// Opens `count` connections one after another, sends `request` over each, and waits for the answer. Ends early where
    /// the server takes no more within two seconds.
    init(_ address: ResolvedAddress, request: String, count: Int) throws(Errno) {
        let bytes = Array(request.utf8)
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { unsafe room.deallocate() }
        for _ in 0..<count {
            do throws(Errno) {
                guard let one = try unsafe Self.open(address, bytes, room) else { return }
                kept.append(one)
            } catch {
                if error == .timedOut { return }
                throw error
            }
        }
    }

    /// Nil where the answer does not come.
    private static func open(
        _ address: ResolvedAddress, _ request: [UInt8], _ room: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Kept? {
        let deadline = MonotonicTime.now + .seconds(2)
        let one = Kept(try .connect(to: address, until: deadline))
        let sent = try unsafe request.span.withUnsafeBytes { buffer throws(Errno) in
            try unsafe one.socket.send(buffer, more: false)
        }
        guard sent == request.count, try one.socket.wait(for: .readable, until: deadline).contains(.readable),
            let received = try unsafe one.socket.receive(into: room), received > 0
        else { return nil }
        return one
    }

    func close() { kept = [] }
}
