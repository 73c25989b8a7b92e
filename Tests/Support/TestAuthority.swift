import Platform

/// An authority that issues servers' certificates for one test, by the openssl program.
package struct TestAuthority: Sendable {
    /// A certificate with its key, as files of PEM.
    package struct Identity: Sendable {
        package let certificates: String
        package let key: String
        /// Where they are, as long as somebody needs them.
        fileprivate let directory: TemporaryDirectory
    }

    /// What went wrong with the program.
    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The authority's own certificate: a file of PEM.
    package let certificate: String
    private let directory: TemporaryDirectory
    private let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    package init(named name: String = "Test Authority") throws {
        directory = try TemporaryDirectory()
        certificate = directory.file("ca.pem")
        try openssl(["req", "-x509"] + curve + ["-keyout", directory.file("ca.key"), "-out", certificate, "-subj", "/CN=\(name)", "-days", "2"])
    }

    /// Issues a certificate.
    ///
    /// - Parameters:
    ///   - names: as in `DNS:localhost,IP:127.0.0.1`; `DER:` takes the extension's bytes in hexadecimal; nil leaves it out.
    ///   - commonName: the name of the subject.
    ///   - days: from now on; -1 for one that expired yesterday.
    ///   - isSelfSigned: by its own key, and not the authority's.
    package func issue(
        _ names: String?, commonName: String = "server", days: Int = 2, isSelfSigned: Bool = false
    ) throws -> Identity {
        let made = Identity(certificates: directory.file("server.pem"), key: directory.file("server.key"), directory: directory)
        let request = directory.file("server.csr")
        try openssl(["req", "-new"] + curve + ["-keyout", made.key, "-out", request, "-subj", "/CN=\(commonName)"])
        let extensions = try directory.write("extensions", text: names.map { "subjectAltName=\($0)\n" } ?? "basicConstraints=CA:FALSE\n")
        let signer = isSelfSigned ? ["-signkey", made.key] : ["-CA", certificate, "-CAkey", directory.file("ca.key"), "-set_serial", "7"]
        try openssl(["x509", "-req", "-in", request, "-out", made.certificates, "-days", "\(days)", "-extfile", extensions] + signer)
        return made
    }

    private func openssl(_ arguments: [String]) throws {
        let outcome = try Subprocess.run(["openssl"] + arguments)
        if !outcome.isSuccess { throw Failure(description: "openssl \(arguments.joined(separator: " ")): \(outcome)") }
    }
}
