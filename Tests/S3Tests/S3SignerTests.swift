import Crypto
import S3
import Testing

/// The examples of AWS: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
@Suite struct S3SignerTests {
    let signer = S3Signer(
        S3Credentials(accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        region: "us-east-1")
    let time = "20130524T000000Z"
    let host = "examplebucket.s3.amazonaws.com"

    private func signature(_ request: S3Request, _ payload: S3Signer.Payload = .empty) -> String? {
        signer.headers(for: request, payload: payload, time: time)["authorization"]?.split(separator: "Signature=").last.map(String.init)
    }

    @Test func `a range of an object`() {
        let request = S3Request("GET", host: host, path: "/test.txt", headers: ["range": "bytes=0-9"])
        #expect(signature(request) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    }

    @Test func `an object that is put`() {
        let request = S3Request(
            "PUT", host: host, path: "/test%24file.text",
            headers: ["date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"])
        let payload = S3Signer.Payload.hash(SHA256.digest(of: Array("Welcome to Amazon S3.".utf8)))
        #expect(signature(request, payload) == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    }

    @Test func `a query without a value, and one of two`() {
        let lifecycle = S3Request("GET", host: host, path: "/", query: [.init("lifecycle")])
        #expect(signature(lifecycle) == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
        let list = S3Request("GET", host: host, path: "/", query: [.init("prefix", "J"), .init("max-keys", "2")])
        #expect(signature(list) == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test func `a URL that anyone may ask for`() {
        let target = signer.presignedTarget(of: S3Request("GET", host: host, path: "/test.txt"), seconds: 86_400, time: time)
        #expect(target.hasSuffix("&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"))
        #expect(target.hasPrefix("/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2F"))
    }

    @Test func `a session's token is signed, and secrets are not printed`() {
        let credentials = S3Credentials(accessKeyID: "AKIA", secretAccessKey: "hidden", sessionToken: "ticket")
        let headers = S3Signer(credentials, region: "r").headers(
            for: S3Request("GET", host: host, path: "/"), payload: .unsigned, time: time)
        #expect(headers["x-amz-security-token"] == "ticket")
        #expect(headers["authorization"]?.contains("x-amz-security-token") == true)
        var dumped = ""
        dump(credentials, to: &dumped)
        for text in ["\(credentials)", String(reflecting: credentials), dumped] {
            #expect(!text.contains("hidden") && !text.contains("ticket"))
        }
    }
}
