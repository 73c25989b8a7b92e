import Platform

/// How much each client holds of what all share: connections, threads that make bodies, memory of answers that are not sent yet and of
/// bodies that are not there yet.
///
/// A client is an IPv4 address, or an IPv6 network: whoever has many connections of one address is held to a share, so that it
/// takes many of those to take everything. Proxies stand for many clients and have no share; they can hold each of theirs to
/// one. Thread: any.
final class ClientShares: Sendable {
    private struct Share {
        var connections = 0
        var streams = 0
        var heldBytes = 0

        var isNothing: Bool { connections == 0 && streams == 0 && heldBytes == 0 }
    }

    private struct State {
        /// Of those who have something.
        var shares: [HostAddress: Share] = [:]
        /// Of all clients, proxies too.
        var heldBytes = 0
    }

    private let limits: Limits
    private let state = Monitor(State())

    init(limits: Limits) { self.limits = limits }

    /// Who is to be held to a share; nil for a proxy, and for processes of this machine, which come as proxies do.
    func client(_ peer: SocketAddress) -> HostAddress? {
        if peer.isLocal { return nil }
        let host = peer.hostAddress
        return limits.proxies.contains(host) ? nil : host.network
    }

    /// Takes one more connection of a client; false where it has as many as it may have, and the connection must not be.
    func takeConnection(of client: HostAddress?) -> Bool { take(client) { $0.connections < limits.clientConnectionsMax } by: { $0.connections += 1 } }
    func giveBackConnection(of client: HostAddress?) { giveBack(client) { $0.connections -= 1 } }

    /// Takes one more thread, or a place in the queue for one, that makes a body for a client; false where it has its share.
    func takeStream(of client: HostAddress?) -> Bool { take(client) { $0.streams < limits.clientStreamsMax } by: { $0.streams += 1 } }
    func giveBackStream(of client: HostAddress?) { giveBack(client) { $0.streams -= 1 } }

    /// Takes memory for a body that is to be sent, or awaited; false where all clients, or this one, have as much as they may have.
    func takeHeld(_ byteCount: Int, of client: HostAddress?) -> Bool {
        state.withLock { state in
            // One that is larger than all bounds is sent when nothing else is.
            if state.heldBytes > 0, state.heldBytes + byteCount > limits.heldBytesMax { return false }
            if let client {
                var share = state.shares[client] ?? Share()
                if share.heldBytes > 0, share.heldBytes + byteCount > limits.clientHeldBytesMax { return false }
                share.heldBytes += byteCount
                state.shares[client] = share
            }
            state.heldBytes += byteCount
            return true
        }
    }

    func giveBackHeld(_ byteCount: Int, of client: HostAddress?) {
        state.withLock { $0.heldBytes -= byteCount }
        giveBack(client) { $0.heldBytes -= byteCount }
    }

    /// Bytes of bodies that are counted.
    var heldBytes: Int { state.withLock { $0.heldBytes } }

    /// Clients that have something.
    var clientCount: Int { state.withLock { $0.shares.count } }

    private func take(_ client: HostAddress?, where isLeft: (Share) -> Bool, by change: (inout Share) -> Void) -> Bool {
        guard let client else { return true }
        return state.withLock { state in
            var share = state.shares[client] ?? Share()
            guard isLeft(share) else { return false }
            change(&share)
            state.shares[client] = share
            return true
        }
    }

    private func giveBack(_ client: HostAddress?, _ change: (inout Share) -> Void) {
        guard let client else { return }
        state.withLock { state in
            guard var share = state.shares[client] else { return }
            change(&share)
            state.shares[client] = share.isNothing ? nil : share
        }
    }
}
