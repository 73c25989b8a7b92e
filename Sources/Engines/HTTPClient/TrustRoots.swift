import Crypto
import Platform

/// Where the certificates of the authorities are that a client believes.
package struct TrustRoots: Hashable, Sendable, CustomStringConvertible {
    /// A file of PEM; nil where there is none.
    package let file: String?
    /// A directory as openssl-rehash(1) makes it; nil where there is none.
    package let directory: String?
    /// The variable that named them; nil for the system's own.
    package let variable: String?

    package init(file: String?, directory: String? = nil, variable: String? = nil) {
        self.file = file
        self.directory = directory
        self.variable = variable
    }

    /// Where systems keep theirs, as one file each. The first that is there counts.
    package static let systemFiles = [
        "/etc/ssl/certs/ca-certificates.crt",  // Debian, Ubuntu, Arch, Gentoo, NixOS
        "/etc/pki/tls/certs/ca-bundle.crt",  // Fedora, RHEL
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Fedora from 43 on
        "/etc/ssl/ca-bundle.pem",  // openSUSE
        "/etc/ssl/cert.pem",  // Alpine, the BSDs
        "/nix/var/nix/profiles/default/etc/ssl/certs/ca-bundle.crt",  // Nix on whatever has none
    ]

    /// What the environment names, as Nix reads it (`NIX_SSL_CERT_FILE` before `SSL_CERT_FILE`) with OpenSSL's `SSL_CERT_DIR`;
    /// else the system's. What is named counts alone.
    ///
    /// - Parameter isThere: whether there is such a file.
    package static func find(
        environment: [String: String], isThere: (String) -> Bool = { (try? File.status($0)) != nil }
    ) -> TrustRoots {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let directory = value("SSL_CERT_DIR")
        for variable in ["NIX_SSL_CERT_FILE", "SSL_CERT_FILE"] {
            if let file = value(variable) { return TrustRoots(file: file, directory: directory, variable: variable) }
        }
        if let directory { return TrustRoots(file: nil, directory: directory, variable: "SSL_CERT_DIR") }
        return TrustRoots(file: systemFiles.first(where: isThere))
    }

    /// Reads them.
    ///
    /// - Throws: `ClientError.untrusted`, about `host`, where there are none or they cannot be read.
    func load(for host: String) throws(ClientError) -> TLSTrust {
        if file == nil && directory == nil {
            throw .untrusted(
                host: host,
                cause: "this machine has no certificates of authorities; install the package ca-certificates, or let SSL_CERT_FILE name a file of them")
        }
        do throws(TLSError) {
            return try TLSTrust(file: file, directory: directory, source: description)
        } catch { throw .untrusted(host: host, cause: error.description) }
    }

    /// `/etc/ssl/cert.pem`, `/ca.pem (SSL_CERT_FILE)`
    package var description: String {
        let places = [file, directory].compactMap { $0 }.joined(separator: " and ")
        return variable.map { "\(places) (\($0))" } ?? places
    }
}
