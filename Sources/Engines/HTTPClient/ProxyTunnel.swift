import HTTP
import Platform

/// Asks a proxy for a way through to a server (CONNECT: RFC 9110, section 9.3.6).
enum ProxyTunnel {
    /// After it the transport is the server's.
    ///
    /// - Parameter timeout: for each step of it.
    /// - Throws: `ClientError.proxyFailed` where the proxy refuses; `unreachable` where it cannot reach the server either.
    static func open(
        over transport: any Transport, to server: HTTPURL, by proxy: Proxy, timeout: Duration
    ) throws(ClientError) {
        let place = server.placeWithPort
        var lines = HeadWriter(connectTo: place)
        lines.add("Host", place)
        if let authorization = proxy.authorization { lines.add("Proxy-Authorization", authorization) }
        try send(lines.finish(), over: transport, proxy, until: .now + timeout)
        let reader = AnswerReader(transport: transport, host: proxy.url.authority, silence: timeout, answerTime: timeout)
        let status = try reader.waitForHead().status
        if status.isSuccess {
            // The client speaks first: a proxy that has said more was not asked.
            if reader.isEmpty { return }
            throw .malformed(host: proxy.url.authority, reason: "a proxy sends more than its answer to CONNECT")
        }
        let name = proxy.url.authority
        switch status.code {
        case 407: throw wantsCredentials(proxy)
        case 500...: throw .unreachable(host: server.authority, cause: "the proxy \(name) answered \(status)")
        default: throw .proxyFailed(name: name, cause: "it does not let \(place) be reached (\(status)); no_proxy can except hosts")
        }
    }

    /// What a proxy means that answers 407.
    static func wantsCredentials(_ proxy: Proxy) -> ClientError {
        .proxyFailed(
            name: proxy.url.authority,
            cause: proxy.authorization == nil
                ? "it wants a user name and a password: put them before its host, as in http://USER:PASSWORD@HOST:PORT"
                : "it does not accept the user name and the password that the environment has for it")
    }

    private static func send(
        _ bytes: [UInt8], over transport: any Transport, _ proxy: Proxy, until deadline: MonotonicTime
    ) throws(ClientError) {
        let host = proxy.url.authority
        var sent = 0
        while sent < bytes.count {
            do throws(Errno) {
                if try transport.wait(for: .writable, until: deadline).isEmpty { throw Errno.timedOut }
                let start = sent
                sent += try unsafe bytes.span.withUnsafeBytes { raw throws(Errno) in
                    try unsafe transport.send(UnsafeRawBufferPointer(rebasing: raw[start...]), more: false)
                } ?? 0
            } catch {
                if error == .timedOut { throw .timedOut(host: host, what: "taking a request for \(proxy)") }
                throw .disconnected(host: host, what: "while it was asked for a way through: \(error)")
            }
        }
    }
}
