import AtticAPI
import Crypto

/// The three keys that tokens can be checked with, as an operator gives them: one of them, in the file or the environment.
enum TokenKeySource: CaseIterable {
    case hs256, rs256Private, rs256Public

    /// In `[jwt.signing]`.
    var key: String {
        switch self {
        case .hs256: "token-hs256-secret-base64"
        case .rs256Private: "token-rs256-secret-base64"
        case .rs256Public: "token-rs256-pubkey-base64"
        }
    }

    var variable: String {
        switch self {
        case .hs256: EnvironmentVariable.hs256Secret
        case .rs256Private: EnvironmentVariable.rs256Secret
        case .rs256Public: EnvironmentVariable.rs256PublicKey
        }
    }

    /// The key of a text in base 64. The error never holds any of it.
    func tokenKey(base64: String) throws(ValueError) -> TokenKey {
        let bytes = decodeBase64(base64)
        switch self {
        case .hs256:
            guard let bytes else { throw ValueError("the secret is not base64; \(advice)") }
            if bytes.isEmpty { throw ValueError("the secret is empty; \(advice)") }
            // A public key as a secret would let everybody make tokens.
            if bytes.starts(with: "-----BEGIN ".utf8) {
                throw ValueError("the secret is the text of a key, in PEM; write a private key of RSA as \"\(Self.rs256Private.key)\", a public one as \"\(Self.rs256Public.key)\"")
            }
            return .hs256(secret: bytes)
        case .rs256Private:
            guard let bytes else { throw ValueError("the key is not base64; \(advice)") }
            do throws(RSAKeyError) { return .rs256(try RSAPrivateKey(pem: bytes)) } catch { throw ValueError("\(error); \(advice)") }
        case .rs256Public:
            guard let bytes else { throw ValueError("the key is not base64; \(advice)") }
            do throws(RSAKeyError) { return .rs256PublicKey(try RSAPublicKey(pem: bytes)) } catch { throw ValueError("\(error); \(advice)") }
        }
    }

    private var advice: String {
        switch self {
        case .hs256: "write the output of \"openssl rand 64 | base64 -w0\""
        case .rs256Private: "write the output of \"openssl genrsa -traditional 4096 | base64 -w0\""
        case .rs256Public: "write the output of \"openssl rsa -in KEY -pubout | base64 -w0\""
        }
    }
}
