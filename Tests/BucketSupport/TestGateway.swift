import HTTP
import HTTPClient
import Platform
import S3
import Support

/// The server of buckets that `scripts/test` starts, which verifies signatures.
package enum TestGateway {
    /// Its URL; nil where none was started.
    package static let url = Subprocess.ownEnvironment["TETRYX_TEST_S3"]

    /// Its keys; any others do for `FakeBucket`.
    package static let accessKeyID = Subprocess.ownEnvironment["AWS_ACCESS_KEY_ID"] ?? "key"
    package static let secretAccessKey = Subprocess.ownEnvironment["AWS_SECRET_ACCESS_KEY"] ?? "secret"
    package static let credentials = S3Credentials(accessKeyID: accessKeyID, secretAccessKey: secretAccessKey)

    /// What its answers said that were none of those expected.
    package struct Refusal: Error, CustomStringConvertible {
        package let description: String
    }

    /// Makes a bucket, unless it is there.
    ///
    /// - Throws: `Refusal` and `ClientError`.
    package static func make(bucket name: String) throws {
        let endpoint = try HTTPURL(url ?? "")
        let session = try HTTPSession(endpoint: endpoint, connectionsMax: 1)
        let request = S3Request("PUT", host: endpoint.authority, path: "/\(name)")
        let now = String(WallTime.now.text.filter { $0 != "-" && $0 != ":" })
        let headers = S3Signer(credentials, region: "us-east-1").headers(for: request, payload: .empty, time: now)
        let answer = try session.send(ClientRequest(.put, request.target, headers: headers.map { ($0.key, $0.value) }, mayRepeat: true))
        if !answer.status.isSuccess && answer.status.code != 409 {
            throw Refusal(description: "the bucket \(name) could not be made: \(answer.status) \(String(decoding: answer.body.prefix(300), as: UTF8.self))")
        }
    }
}
