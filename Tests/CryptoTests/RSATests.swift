import Crypto
import Encoding
import Support
import Testing

@Suite("Keys of RSA")
struct RSATests {
    static func privateKey(_ pem: String) throws(RSAKeyError) -> RSAPrivateKey { try RSAPrivateKey(pem: Array(pem.utf8)) }
    static func publicKey(_ pem: String) throws(RSAKeyError) -> RSAPublicKey { try RSAPublicKey(pem: Array(pem.utf8)) }

    static func privateRefusal(_ pem: String) -> RSAKeyError? {
        do throws(RSAKeyError) { _ = try privateKey(pem) } catch { return error }
        return nil
    }

    static func publicRefusal(_ pem: String) -> RSAKeyError? {
        do throws(RSAKeyError) { _ = try publicKey(pem) } catch { return error }
        return nil
    }

    /// What `openssl dgst -sha256 -sign` made.
    static let parts = RSAKeys.token.split(separator: ".")
    static let message = Array("\(parts[0]).\(parts[1])".utf8)

    @Test("Sign what openssl signs, byte for byte, in either form of the private key", arguments: [RSAKeys.privatePKCS1, RSAKeys.privatePKCS8])
    func signing(pem: String) throws {
        let key = try Self.privateKey(pem)
        #expect(Base64.encodeURL(key.sign(Self.message)) == Self.parts[2])
        #expect(try key.publicKey == Self.publicKey(RSAKeys.publicKey))
    }

    @Test("Check what openssl signed, in either form of the public key", arguments: [RSAKeys.publicKey, RSAKeys.publicPKCS1])
    func checking(pem: String) throws {
        let key = try Self.publicKey(pem)
        let signature = try #require(Base64.decodeURL(Self.parts[2]))
        #expect(key.verify(signature: signature, message: Self.message))
        #expect(!key.verify(signature: signature, message: Self.message + [0]))
        #expect(!key.verify(signature: signature.reversed(), message: Self.message))
        for index in stride(from: 0, to: signature.count, by: 37) {
            var changed = signature
            changed[index] ^= 1
            #expect(!key.verify(signature: changed, message: Self.message))
        }
        for wrong in [[], [1], signature + [0], Array(signature.dropLast()), [UInt8](repeating: 0, count: 256), [UInt8](repeating: 0xFF, count: 256)] {
            #expect(!key.verify(signature: wrong, message: Self.message))
        }
        #expect(String(decoding: key.pem, as: UTF8.self) == RSAKeys.publicKey)
    }

    @Test("What is no private key of RSA is refused, and said to be what it is", arguments: [
        ("", RSAKeyError.notAKey), ("hunter2", .notAKey), ("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", .notAKey),
        (String(RSAKeys.privatePKCS1.prefix(900)), .notAKey), (RSAKeys.publicKey, .isPublic), (RSAKeys.publicPKCS1, .isPublic),
        (RSAKeys.certificate, .notAKey), (RSAKeys.encryptedPKCS1, .encrypted), (RSAKeys.encryptedPKCS8, .encrypted),
        (RSAKeys.curve, .notRSA), (RSAKeys.ofPSS, .notRSA), (RSAKeys.small, .wrongSize(bits: 1024)), (RSAKeys.almost, .wrongSize(bits: 2047)),
        (RSAKeys.tornApart, .inconsistent),
    ])
    func wrongPrivateKeys(pem: String, refusal: RSAKeyError) { #expect(Self.privateRefusal(pem) == refusal) }

    @Test("What is no public key of RSA is refused, and said to be what it is", arguments: [
        ("", RSAKeyError.notAKey), ("hunter2", .notAKey), (String(RSAKeys.publicKey.prefix(200)), .notAKey), (RSAKeys.privatePKCS1, .isPrivate),
        (RSAKeys.privatePKCS8, .isPrivate), (RSAKeys.encryptedPKCS8, .isPrivate), (RSAKeys.certificate, .notAKey), (RSAKeys.curvePublic, .notRSA),
        (RSAKeys.exponentOfOne, .inconsistent),
    ])
    func wrongPublicKeys(pem: String, refusal: RSAKeyError) { #expect(Self.publicRefusal(pem) == refusal) }

    @Test("A private key is not printed")
    func secrecy() throws {
        let key = try Self.privateKey(RSAKeys.privatePKCS1)
        #expect("\(key)" == "RSAPrivateKey(not shown)")
    }
}
