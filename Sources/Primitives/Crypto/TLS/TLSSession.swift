import COpenSSL

/// One side of one encrypted connection: bytes in, bytes out. It does no I/O: what came from the network is fed to it, and what
/// has to go there is taken from it.
///
///     network → feed → read → plain bytes
///     plain bytes → write → take → network
///
/// A server's certificate must name the host (RFC 9525), and be signed by someone that `TLSTrust` believes.
///
/// Thread: one at a time.
@safe package final class TLSSession {
    private let session: OpaquePointer
    /// Encrypted bytes that came; owned by the session.
    private let incoming: OpaquePointer
    /// Encrypted bytes that have to go; owned by the session.
    private let outgoing: OpaquePointer
    /// What messages name: the other side, and whom this one believes. Empty on a server.
    private let host: String
    private let source: String
    /// The context must outlive what was made of it.
    private let context: AnyObject
    /// What `read` says from now on: the end, or why nothing more can be read.
    private var last: Result<Int, TLSError>?

    /// Plain bytes that one record holds at most (RFC 8446, section 5.1).
    package static let recordBytesMax = 16 << 10

    private init(_ handle: SharedHandle, owner: AnyObject, host: String, source: String) {
        guard let session = unsafe SSL_new(handle.pointer), let incoming = unsafe BIO_new(BIO_s_mem()),
            let outgoing = unsafe BIO_new(BIO_s_mem())
        else { fatalError("no memory for a session of TLS") }
        unsafe self.session = session
        unsafe self.incoming = incoming
        unsafe self.outgoing = outgoing
        self.host = host
        self.source = source
        context = owner
        unsafe copenssl_expect_more(incoming)
        unsafe SSL_set_bio(session, incoming, outgoing)
    }

    /// A client's side.
    ///
    /// - Parameters:
    ///   - host: a name or an address, without port or brackets.
    ///   - isAddress: whether it is an address: then no name is told to the server (RFC 6066, section 3), and the certificate must
    ///     have the address.
    /// - Throws: `TLSError.failed` where no certificate could have that host.
    package convenience init(to host: String, isAddress: Bool, trust: TLSTrust) throws(TLSError) {
        // A name may end in the dot of the root, which neither the protocol nor certificates write.
        let name = host.hasSuffix(".") ? String(host.dropLast()) : host
        self.init(trust.context, owner: trust, host: name, source: trust.source)
        unsafe SSL_set_connect_state(session)
        unsafe copenssl_match_names_strictly(session)
        let parameters = unsafe SSL_get0_param(session)
        let isNamed = if isAddress {
            unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1
        } else {
            unsafe X509_VERIFY_PARAM_set1_host(parameters, name, name.utf8.count) == 1 && copenssl_set_server_name(session, name) == 1
        }
        // An empty name would be checked against nothing, and one that begins with a dot against all names below it.
        guard isNamed, !name.isEmpty, !name.hasPrefix("."), !name.utf8.contains(0) else {
            ERR_clear_error()
            throw .failed("\"\(host)\" is no name that a certificate could have")
        }
    }

    /// A server's side.
    package convenience init(serving identity: TLSIdentity) {
        self.init(identity.context, owner: identity, host: "", source: "")
        unsafe SSL_set_accept_state(session)
    }

    deinit {
        unsafe X509_free(copenssl_take_failed_certificate(session))
        unsafe SSL_free(session)
    }

    // MARK: The network's side

    /// Bytes that wait to be sent.
    package var outgoingByteCount: Int { Int(unsafe BIO_ctrl_pending(outgoing)) }

    /// Moves bytes that have to be sent into `room`; how many.
    package func take(into room: UnsafeMutableRawBufferPointer) -> Int {
        max(0, Int(unsafe BIO_read(outgoing, room.baseAddress, Int32(clamping: room.count))))
    }

    /// Takes bytes that came.
    package func feed(_ bytes: UnsafeRawBufferPointer) {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            let count = unsafe BIO_write(incoming, rest.baseAddress, Int32(clamping: rest.count))
            if count <= 0 { fatalError("no memory for bytes that came") }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[Int(count)...])
        }
    }

    /// Nothing more will come.
    package func feedEnd() { unsafe copenssl_expect_end(incoming) }

    // MARK: The plain side

    /// Goes on with the handshake as far as what came allows; true when it is done.
    package func shakeHands() throws(TLSError) -> Bool {
        ERR_clear_error()
        let result = unsafe SSL_do_handshake(session)
        if result == 1 { return true }
        if try hasEnded(result) { throw .cut }
        return false
    }

    /// The protocol that both agreed on (ALPN, RFC 7301); nil where the server chose none.
    package var agreedProtocol: String? {
        var name: UnsafePointer<UInt8>?
        var byteCount: UInt32 = 0
        unsafe SSL_get0_alpn_selected(session, &name, &byteCount)
        return unsafe name.map { unsafe String(decoding: UnsafeBufferPointer(start: $0, count: Int(byteCount)), as: UTF8.self) }
    }

    /// The name that the client has told the server (SNI); nil where it told none.
    package var serverName: String? {
        unsafe SSL_get_servername(session, TLSEXT_NAMETYPE_host_name).map { unsafe String(cString: $0) }
    }

    /// Whether `read` has something to say at once: bytes, the end, or why there are none. What concerns the connection alone
    /// (keys, tickets) is dealt with here.
    package func hasNews() -> Bool {
        if last != nil { return true }
        ERR_clear_error()
        var byte: UInt8 = 0
        let result = unsafe SSL_peek(session, &byte, 1)
        if result > 0 { return true }
        return (try? hasEnded(result)) ?? true
    }

    /// Reads plain bytes; 0 where the other side has said that it is done, nil where more has to come first.
    ///
    /// - Throws: `TLSError.cut` where the connection ended without that word; `failed` for bytes that are none of the protocol.
    package func read(into room: UnsafeMutableRawBufferPointer) throws(TLSError) -> Int? {
        if let last { return try last.get() }
        ERR_clear_error()
        let result = unsafe SSL_read(session, room.baseAddress, Int32(clamping: room.count))
        if result > 0 { return Int(result) }
        return try hasEnded(result) ? 0 : nil
    }

    /// Encrypts bytes, to be sent: all of them, whatever waits already. The caller bounds both.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(TLSError) {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            ERR_clear_error()
            let count = unsafe SSL_write(session, rest.baseAddress, Int32(clamping: rest.count))
            // The buffer takes everything, and renegotiation, for which a write would wait, is refused.
            guard count > 0 else {
                _ = try hasEnded(count)
                throw .cut
            }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[Int(count)...])
        }
    }

    /// Says that nothing more will be written; the word has to be sent still.
    package func end() {
        ERR_clear_error()
        _ = unsafe SSL_shutdown(session)
        ERR_clear_error()
    }

    // MARK: Errors

    /// What a call that did nothing meant: true for the end, false for wait.
    private func hasEnded(_ result: Int32) throws(TLSError) -> Bool {
        switch unsafe SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return false
        case SSL_ERROR_ZERO_RETURN:
            last = .success(0)
            return true
        default:
            // It is told once, and OpenSSL forgets it.
            let failure = failure
            last = .failure(failure)
            throw failure
        }
    }

    private var failure: TLSError {
        let verdict = unsafe SSL_get_verify_result(session)
        if verdict != Int(X509_V_OK) {
            ERR_clear_error()
            let certificate = unsafe copenssl_take_failed_certificate(session)
            defer { unsafe X509_free(certificate) }
            return .untrusted(unsafe CertificateWords(certificate, host: host, source: source).sentence(of: Int32(verdict)))
        }
        let code = ERR_peek_error()
        // No error at all: the bytes ended within a record.
        if code == 0 { return .cut }
        defer { ERR_clear_error() }
        switch copenssl_reason(code) {
        case SSL_R_UNEXPECTED_EOF_WHILE_READING: return .cut
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_PACKET_LENGTH_TOO_LONG,
            SSL_R_BAD_RECORD_TYPE:
            return .failed("what it sends is not TLS; is its URL one of http://, or its port another?")
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
            return .failed("it speaks no version of TLS from 1.2 on")
        case SSL_R_NO_APPLICATION_PROTOCOL, SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: return .failed("it does not speak HTTP/1.1")
        default: return .failed(OpenSSL.lastError())
        }
    }
}
