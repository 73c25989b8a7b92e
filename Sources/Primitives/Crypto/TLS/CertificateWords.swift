import COpenSSL

/// Says why a server's certificate is not believed, and what to do about it: one sentence, without its full stop.
@safe struct CertificateWords {
    /// The one that the verification failed at; borrowed, nil where there is none.
    private let certificate: OpaquePointer?
    private let host: String
    /// Where the authorities came from.
    private let source: String

    /// What is shown of anything that a certificate says, in bytes: strangers write it.
    private static let textBytesMax = 160

    init(_ certificate: OpaquePointer?, host: String, source: String) {
        unsafe self.certificate = certificate
        self.host = host
        self.source = source
    }

    /// - Parameter verdict: of X509_STORE_CTX_get_error(3).
    func sentence(of verdict: Int32) -> String {
        switch verdict {
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            "its certificate is self-signed, and not among those of \(source); if it is the right one, let SSL_CERT_FILE name a file with it"
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            "its certificate was issued by \(issuer), which is not among the authorities of \(source); "
                + "if that is the right one, let SSL_CERT_FILE name a file with its certificate"
        case X509_V_ERR_CERT_HAS_EXPIRED:
            unsafe "its certificate expired on \(date(X509_get0_notAfter)); it has to be renewed, or the clock here is wrong"
        case X509_V_ERR_CERT_NOT_YET_VALID:
            unsafe "its certificate is not valid before \(date(X509_get0_notBefore)); is the clock here right?"
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            "its certificate is not for \(host) but for \(names); use a name that it has, or one with this has to be issued"
        default:
            "its certificate is not trusted (\(unsafe String(cString: X509_verify_cert_error_string(Int(verdict)))); authorities: \(source))"
        }
    }

    private var issuer: String {
        guard let certificate = unsafe certificate else { return "an authority" }
        return unsafe "\"\(printed { unsafe copenssl_print_name($0, X509_get_issuer_name(certificate)) })\""
    }

    /// The names of RFC 5280, section 4.2.1.6, as OpenSSL shows them: `DNS:a.example.org, IP Address:192.0.2.1`.
    private var names: String {
        guard let certificate = unsafe certificate else { return "others" }
        let place = unsafe X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1)
        guard place >= 0, let names = unsafe X509_get_ext(certificate, place) else { return "nothing: it has no names" }
        return unsafe printed { unsafe X509V3_EXT_print($0, names, 0, 0) }
    }

    private func date(_ time: (OpaquePointer?) -> UnsafePointer<ASN1_TIME>?) -> String {
        guard let certificate = unsafe certificate else { return "a day that is not known" }
        return unsafe printed { unsafe ASN1_TIME_print($0, time(certificate)) }
    }

    /// What OpenSSL prints, on one line and as far as it may be shown.
    private func printed(_ print: (OpaquePointer?) -> Int32) -> String {
        let memory = unsafe BIO_new(BIO_s_mem())
        defer { unsafe BIO_free(memory) }
        _ = unsafe print(memory)
        ERR_clear_error()
        var bytes = [UInt8](repeating: 0, count: Self.textBytesMax)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe BIO_read(memory, $0.baseAddress, Int32($0.count)) }
        let isCut = unsafe BIO_ctrl_pending(memory) > 0
        let shown = bytes.prefix(max(0, Int(count))).map { $0 < 0x20 || $0 >= 0x7F ? UInt8(ascii: "?") : $0 }
        return String(decoding: shown, as: UTF8.self) + (isCut ? "…" : "")
    }
}
