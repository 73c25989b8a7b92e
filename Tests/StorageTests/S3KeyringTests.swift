import Logging
import Platform
import S3
import Support
import Testing

@testable import Storage

/// Keys to a bucket that others renew in a file.
@Suite struct S3KeyringTests {
    let directory: TemporaryDirectory
    let clock = Monitor(MonotonicTime(nanoseconds: 0))

    init() throws { directory = try TemporaryDirectory() }

    private func key(_ id: String) -> S3Credentials { S3Credentials(accessKeyID: id, secretAccessKey: "hidden") }

    private func write(_ id: String) throws {
        try directory.write("keys", text: "[default]\naws_access_key_id = \(id)\naws_secret_access_key = hidden\n")
    }

    private func keyring(of file: String? = "keys") -> S3Keyring {
        let clock = clock
        let place = file.map { S3CredentialsFile.Place(path: directory.file($0), profile: "default") }
        var log = Logger(label: "test")
        log.logLevel = .critical
        return S3Keyring(key("A"), readFrom: place, region: "r", log: log, clock: { clock.withLock { $0 } })
    }

    @Test func `a file is looked at once in a while, and not for each request`() throws {
        try write("B")
        let keyring = keyring()
        #expect(keyring.signer().credentials == key("A"), "it was read just now")
        clock.update { $0 = $0 + S3Keyring.lookInterval + .nanoseconds(-1) }
        #expect(keyring.signer().credentials == key("A"))
        clock.update { $0 = $0 + .nanoseconds(1) }
        #expect(keyring.signer().credentials == key("B"))
        try write("C")
        #expect(keyring.signer().credentials == key("B"))
        clock.update { $0 = $0 + S3Keyring.lookInterval }
        #expect(keyring.signer().credentials == key("C"))
    }

    @Test func `keys that were not taken are looked for at once, unless somebody has found others`() throws {
        try write("A")
        let keyring = keyring()
        #expect(!keyring.hasOthers(than: key("A")))
        try write("B")
        #expect(keyring.hasOthers(than: key("A")))
        try File.remove(directory.file("keys"))
        #expect(keyring.hasOthers(than: key("A")), "found before")
        #expect(!keyring.hasOthers(than: key("B")), "and a file that is gone changes nothing")
        #expect(keyring.signer().credentials == key("B"))
    }

    @Test(arguments: [nil, "not-there"])
    func `keys that are in no file stay`(file: String?) throws {
        try write("B")
        let keyring = keyring(of: file)
        clock.update { $0 = $0 + .seconds(1_000_000) }
        #expect(keyring.signer().credentials == key("A"))
        #expect(!keyring.hasOthers(than: key("A")))
    }
}
