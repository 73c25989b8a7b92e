import COpenSSL

/// What a client of TLS believes: which authorities may vouch for a server, and which versions of the protocol it speaks
/// (1.2 and 1.3; RFC 8996 forbids those before).
///
/// Sessions share it. It does not change after it was made.
package final class TLSTrust: Sendable {
    let context: SharedHandle
    /// Where the authorities came from, for messages.
    let source: String

    /// - Parameters:
    ///   - file: certificates of authorities, as PEM; nil for none of that kind.
    ///   - directory: files of certificates, found by the hash of their subject (openssl-rehash(1)); nil as well.
    ///   - source: what messages call the two.
    /// - Throws: `TLSError.failed` where the file has no certificate that can be read.
    package init(file: String?, directory: String?, source: String) throws(TLSError) {
        let context = unsafe SSL_CTX_new(TLS_client_method())
        unsafe self.context = SharedHandle(context, "context of TLS")
        self.source = source
        unsafe OpenSSL.require(Int32(copenssl_set_min_tls_1_2(context)), "refuse old versions of TLS")
        unsafe copenssl_verify_peers(context)
        unsafe copenssl_refuse_renegotiation(context)
        // Whoever names a certificate means it, also where it is the server's own or one between it and an authority; so does curl.
        unsafe OpenSSL.require(X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), UInt(X509_V_FLAG_PARTIAL_CHAIN)), "trust what is named")
        // RFC 7301: each name behind its length. Servers that also speak HTTP/2 must not guess.
        let protocols = [8] + Array("http/1.1".utf8)
        unsafe OpenSSL.require(1 - SSL_CTX_set_alpn_protos(context, protocols, UInt32(protocols.count)), "offer HTTP/1.1")
        if let file {
            guard unsafe SSL_CTX_load_verify_file(context, file) == 1 else {
                throw .failed("no certificates of authorities can be read from \(source): \(OpenSSL.lastError())")
            }
        }
        if let directory {
            guard unsafe SSL_CTX_load_verify_dir(context, directory) == 1 else {
                throw .failed("no certificates of authorities can be read from \(source): \(OpenSSL.lastError())")
            }
        }
    }

    deinit { unsafe SSL_CTX_free(context.pointer) }
}

/// Who a server of TLS is: its certificate, with those between it and an authority, and the key to it.
///
/// Servers here leave TLS to a proxy: this is what tests of clients talk to.
package final class TLSIdentity: Sendable {
    let context: SharedHandle

    /// - Parameters:
    ///   - certificates: a file of PEM, the server's own first.
    ///   - key: a file of PEM.
    ///   - isOld: speaks nothing newer than TLS 1.1, which clients must refuse.
    /// - Throws: `TLSError.failed` where they cannot be read, or do not belong together.
    package init(certificates: String, key: String, isOld: Bool = false) throws(TLSError) {
        let context = unsafe SSL_CTX_new(TLS_server_method())
        unsafe self.context = SharedHandle(context, "context of TLS")
        unsafe copenssl_serve_http_1_1(context)
        if isOld { unsafe copenssl_speak_only_tls_1_1(context) }
        guard unsafe SSL_CTX_use_certificate_chain_file(context, certificates) == 1,
            unsafe SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1
        else { throw .failed("\(certificates) and \(key) cannot be used: \(OpenSSL.lastError())") }
    }

    deinit { unsafe SSL_CTX_free(context.pointer) }
}

/// Why an encrypted connection cannot be used; each with a sentence.
package enum TLSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The other side is not who it should be.
    case untrusted(String)
    /// The two do not agree, or one of them broke the protocol.
    case failed(String)
    /// The connection ended without the word that ends it (RFC 8446, section 6.1): what came may lack its end.
    case cut

    package var description: String {
        switch self {
        case .untrusted(let reason), .failed(let reason): reason
        case .cut: "the connection was cut"
        }
    }
}
