import Crypto
import Encoding

/// Signs requests by AWS Signature Version 4, as S3 wants it.
///
/// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html (in headers) and
/// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html (in a URL).
package struct S3Signer: Sendable {
    package let credentials: S3Credentials
    private let region: String
    private static let algorithm = "AWS4-HMAC-SHA256"

    package init(_ credentials: S3Credentials, region: String) {
        self.credentials = credentials
        self.region = region
    }

    /// What stands for a body's hash.
    package enum Payload: Sendable, Hashable {
        case hash(SHA256Digest)
        /// Nothing is promised of the body; what protects it is TLS, or a checksum of another kind.
        case unsigned

        /// Of no body at all.
        package static let empty = Payload.hash(SHA256.digest(of: []))

        var text: String {
            switch self {
            case .hash(let digest): digest.hex
            case .unsigned: "UNSIGNED-PAYLOAD"
            }
        }
    }

    /// The headers that make the request one of ours, by lower-case name, those of the request included; without Host.
    ///
    /// - Parameter time: `20130524T000000Z`, in UTC; servers take a quarter of an hour of difference.
    package func headers(for request: S3Request, payload: Payload, time: String) -> [String: String] {
        var signed = request
        signed.headers["x-amz-content-sha256"] = payload.text
        signed.headers["x-amz-date"] = time
        if let token = credentials.sessionToken { signed.headers["x-amz-security-token"] = token }
        let names = S3Signer.signedNames(signed)
        let signature = signature(of: signed, names: names, payload: payload.text, time: time)
        var headers = signed.headers
        headers["authorization"] = "\(S3Signer.algorithm) Credential=\(credentials.accessKeyID)/\(scope(time)),"
            + "SignedHeaders=\(names.joined(separator: ";")),Signature=\(signature)"
        return headers
    }

    /// Path and query of a URL that anyone may ask for.
    ///
    /// - Parameter seconds: how long it holds; a week at most.
    package func presignedTarget(of request: S3Request, seconds: Int, time: String) -> String {
        precondition((1...604_800).contains(seconds), "a signed URL holds for a week at most")
        var signed = request
        let names = S3Signer.signedNames(signed)
        signed.query += [
            .init("X-Amz-Algorithm", S3Signer.algorithm), .init("X-Amz-Credential", "\(credentials.accessKeyID)/\(scope(time))"),
            .init("X-Amz-Date", time), .init("X-Amz-Expires", String(seconds)),
            .init("X-Amz-SignedHeaders", names.joined(separator: ";")),
        ]
        if let token = credentials.sessionToken { signed.query.append(.init("X-Amz-Security-Token", token)) }
        let signature = signature(of: signed, names: names, payload: Payload.unsigned.text, time: time)
        return "\(signed.target)&X-Amz-Signature=\(signature)"
    }

    // MARK: The steps of the specification

    private static func signedNames(_ request: S3Request) -> [String] {
        (request.headers.keys + ["host"]).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private func signature(of request: S3Request, names: [String], payload: String, time: String) -> String {
        let headers = names.map { name in
            "\(name):\(S3Signer.trimmed(name == "host" ? request.host : request.headers[name] ?? ""))\n"
        }
        let canonical = [
            request.method, request.path, request.canonicalQuery, headers.joined(), names.joined(separator: ";"), payload,
        ].joined(separator: "\n")
        let text = [S3Signer.algorithm, time, scope(time), SHA256.digest(of: Array(canonical.utf8)).hex].joined(separator: "\n")
        return Hex.encode(HMAC.sha256(key: key(of: time), message: Array(text.utf8)))
    }

    /// The key of a day, a region and S3.
    private func key(of time: String) -> [UInt8] {
        [String(time.prefix(8)), region, "s3", "aws4_request"].reduce(Array("AWS4\(credentials.secretAccessKey)".utf8)) {
            HMAC.sha256(key: $0, message: Array($1.utf8))
        }
    }

    private func scope(_ time: String) -> String { "\(time.prefix(8))/\(region)/s3/aws4_request" }

    /// Without spaces at both ends, and with one where there were several.
    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }
}
