import Crypto
import Encoding
import Nix

extension FuzzTarget {
    /// The texts of the binary cache protocol.
    static let nixTexts = [
        FuzzTarget("narinfo") { try checkNarInfo($0) },
        FuzzTarget("cache-info", byteCountMax: 1024) { try checkCacheInfo($0) },
        FuzzTarget("realisation") { try checkRealisation($0) },
    ]

    static let signingKey = SigningKey.generate(forTestsNamed: "fuzz-1")
}

extension SigningKey {
    /// A key that is the same whenever this runs.
    fileprivate static func generate(forTestsNamed name: String) -> SigningKey? {
        Ed25519SecretKey(seed: Array(0..<32)).flatMap { secret in
            try? SigningKey(parsing: "\(name):\(Base64.encode(secret.seed + secret.publicKey.bytes))")
        }
    }
}

private func checkNarInfo(_ bytes: [UInt8]) throws {
    let info: NarInfo
    do throws(NixFormatError) { info = try NarInfo.parse(bytes) } catch { return try readable(error) }
    let written = info.rendered()
    let again: NarInfo
    do throws(NixFormatError) { again = try NarInfo.parse(written) } catch {
        throw BrokenRule("a narinfo that is written is refused: \(error)\n\(String(decoding: written, as: UTF8.self))")
    }
    try same(again, info, "a narinfo that is written and read")
    try same(again.rendered(), written, "the text of a narinfo")
    try same(again.fingerprint(), info.fingerprint(), "what is signed")
    if let key = FuzzTarget.signingKey {
        try rule(key.publicKey.verifies(signature: key.sign(info.fingerprint()), message: again.fingerprint()), "a signature holds")
    }
    for signature in info.signatures { _ = FuzzTarget.signingKey?.publicKey.verifies(signature: signature, message: info.fingerprint()) }
    // Only spaces and line ends stand between what the text has.
    let lines = written.split(separator: 0x0A).count
    let optional = [info.fileHash != nil, info.fileSize != nil, info.deriver != nil, info.ca != nil].count { $0 }
    try same(lines, 6 + optional + info.signatures.count, "no field adds a line")
    let json = info.json(partialClosure: info.references)
    try same(try JSON.parse(json.serializedBytes()).serializedBytes(), json.serializedBytes(), "a narinfo as JSON")
}

private func checkCacheInfo(_ bytes: [UInt8]) throws {
    let info: CacheInfo
    do throws(NixFormatError) { info = try CacheInfo.parse(bytes) } catch { return try readable(error) }
    try same(try CacheInfo.parse(info.rendered()), info, "a nix-cache-info that is written and read")
}

private func checkRealisation(_ bytes: [UInt8]) throws {
    let digest = String(repeating: "0a", count: 32)
    let ids = [
        try RealisationID(file: ["realisations", "sha256:\(digest)!out.doi"]),
        try RealisationID(file: ["build-trace-v2", "00000000000000000000000000000000-a.drv", "out.doi"]),
    ]
    for id in ids {
        let realisation: Realisation
        do throws(NixFormatError) { realisation = try Realisation(json: bytes, of: id) } catch {
            try readable(error)
            continue
        }
        let again: Realisation
        do throws(NixFormatError) { again = try Realisation(json: realisation.json(), of: id) } catch {
            throw BrokenRule("a realisation that is written is refused: \(error)")
        }
        try same(again, realisation, "a realisation that is written and read")
        try same(again.fingerprint(), realisation.fingerprint(), "what is signed")
        guard let key = FuzzTarget.signingKey else { continue }
        let signed = realisation.signed(by: key)
        try rule(
            signed.signatures.first.map { key.publicKey.verifies(signature: $0, message: realisation.fingerprint()) } == true, "a signature holds")
        try same(try Realisation(json: signed.json(), of: id), signed, "a realisation that is signed")
    }
    // The bytes as the name of one.
    guard let text = String(validating: bytes, as: UTF8.self) else { return }
    let segments = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    do {
        let id = try RealisationID(file: segments)
        try same(id.filePath, text, "the file of a realisation")
    } catch {
        guard let error = error as? NixFormatError else { throw error }
        try readable(error)
    }
}
