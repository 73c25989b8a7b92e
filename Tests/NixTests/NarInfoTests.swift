import Crypto
import Testing

@testable import Nix

private func parse(_ text: String) throws -> NarInfo { try NarInfo.parse(Array(text.utf8)) }

private let needed = """
    StorePath: /nix/store/292qsfsa3n0rqgzxhhqxwas3ahxrzxzl-t
    URL: nar/x.nar
    NarHash: sha256:1pd2nlhik5k1j347fk8dj8sg2f9cn8bg9kvnffimg93dlhyka06j
    NarSize: 528

    """

@Test("What Nix wrote reads and renders to the same bytes", arguments: [NixVectors.built, NixVectors.added])
func narInfoRoundTrip(_ text: String) throws {
    #expect(String(decoding: try parse(text).rendered(), as: UTF8.self) == text)
}

@Test("Nix's signature verifies, and ours is the same", arguments: [NixVectors.built, NixVectors.added])
func narInfoSignature(_ text: String) throws {
    let info = try parse(text)
    let key = try PublicKey(parsing: NixVectors.publicKey)
    #expect(key.verifies(signature: info.signatures[0], message: info.fingerprint()))
    #expect(try SigningKey(parsing: NixVectors.secretKey).sign(info.fingerprint()) == info.signatures[0])
}

@Test("The fingerprint has full paths, sorted, each once")
func fingerprintForm() throws {
    let info = try parse(NixVectors.built)
    let shuffled = NarInfo.fingerprint(
        storeDirectory: info.storeDirectory, storePath: info.storePath, narHash: info.narHash, narSize: info.narSize,
        references: Array(info.references.reversed()) + info.references)
    #expect(shuffled == info.fingerprint())
    #expect(
        String(decoding: try parse(needed).fingerprint(), as: UTF8.self)
            == "1;/nix/store/292qsfsa3n0rqgzxhhqxwas3ahxrzxzl-t;"
            + "sha256:1pd2nlhik5k1j347fk8dj8sg2f9cn8bg9kvnffimg93dlhyka06j;528;")
}

@Test("Fields that may be absent are taken as Nix takes them")
func narInfoDefaults() throws {
    let info = try parse(needed + "Deriver: unknown-deriver\nUnknown: thing\n")
    #expect(info.compression == "bzip2")
    #expect(info.fileHash == nil && info.fileSize == nil && info.deriver == nil && info.ca == nil)
    #expect(info.references.isEmpty && info.signatures.isEmpty)
    #expect(try parse("NarHash: sha256:\(info.narHash.hex)\n" + needed).narHash == info.narHash)
}

@Test(
    "A narinfo with a flaw is refused",
    arguments: [
        "", "StorePath", String(needed.dropLast()), needed + "x\n", needed + "\n", needed + "NarSize:528\n", needed + "NarSize: 0\n",
        needed + "NarSize: -1\n", needed + "NarSize: +1\n", needed + "NarSize: 99999999999999999999\n", needed + "FileSize: 1.5\n",
        needed + "NarHash: sha256:xyz\n", needed + "NarHash: md5:d41d8cd98f00b204e9800998ecf8427e\n",
        needed + "References: foo\n", needed + "Deriver: foo\n", needed + "Sig: nocolon\n", needed + "Sig: :x\n",
        needed + "CA: fixed:a\nCA: fixed:b\n", needed + "StorePath: /nix/store/foo\n",
        needed + "StorePath: 292qsfsa3n0rqgzxhhqxwas3ahxrzxzl-t\n",
        needed + "References: 292qsfsa3n0rqgzxhhqxwas3ahxrzxzl-t\nReferences: 292qsfsa3n0rqgzxhhqxwas3ahxrzxzl-t\n",
    ])
func narInfoFlaws(_ text: String) {
    #expect(throws: NixFormatError.self) { try parse(text) }
}

@Test("A narinfo that is not UTF-8 is refused")
func narInfoNotText() {
    #expect(throws: NixFormatError.self) { try NarInfo.parse(Array(needed.utf8) + Array("X: ".utf8) + [0xff, 0x0a]) }
}

@Test("A field with a line break cannot be made into a narinfo")
func narInfoInjection() throws {
    let info = try parse(NixVectors.built)
    func make(
        url: String = "nar/x", compression: String = "none", references: [String] = [], deriver: String? = nil,
        signatures: [String] = [], ca: String? = nil
    ) throws -> NarInfo {
        try NarInfo(
            storePath: info.storePath, url: url, compression: compression, narHash: info.narHash, narSize: 1,
            references: references, deriver: deriver, signatures: signatures, ca: ca)
    }
    _ = try make()
    #expect(throws: NixFormatError.self) { try make(url: "nar/x\nSig: a:b") }
    #expect(throws: NixFormatError.self) { try make(compression: "none\nCA: x") }
    #expect(throws: NixFormatError.self) { try make(references: ["\(info.storePath.baseName)\nSig: a:b"]) }
    #expect(throws: NixFormatError.self) { try make(deriver: "\(info.storePath.baseName)\nSig: a:b") }
    #expect(throws: NixFormatError.self) { try make(signatures: ["a:b\nCA: x"]) }
    #expect(throws: NixFormatError.self) { try make(ca: "fixed:x\nSig: a:b") }
}

@Test("nix-cache-info is written in its order and read in any")
func cacheInfo() throws {
    let info = CacheInfo(storeDirectory: "/nix/store", wantMassQuery: true, priority: 41)
    let text = "WantMassQuery: 1\nStoreDir: /nix/store\nPriority: 41\n"
    #expect(String(decoding: info.rendered(), as: UTF8.self) == text)
    #expect(try CacheInfo.parse(Array(text.utf8)) == info)
    #expect(try CacheInfo.parse(Array("Priority: 7\nFuture: 1\nnonsense\nStoreDir: /x".utf8))
        == CacheInfo(storeDirectory: "/x", wantMassQuery: false, priority: 7))
    #expect(try CacheInfo.parse([]).priority == 50)
    let announcing = CacheInfo(storeDirectory: "/nix/store", wantMassQuery: true, priority: 41, narInfosReference: "many")
    #expect(String(decoding: announcing.rendered(), as: UTF8.self) == text + "GetNarInfosV1: many\n")
    #expect(try CacheInfo.parse(announcing.rendered()) == announcing)
    #expect(throws: NixFormatError.self) { try CacheInfo.parse(Array("Priority: high\n".utf8)) }
}

@Test("A content address in JSON has its method and its hash in the form of SRI", arguments: [
    ("fixed:r:sha256:1pd2nlhik5k1j347fk8dj8sg2f9cn8bg9kvnffimg93dlhyka06j", "nar", "sha256-0gA1PaRtpFejc3bP9BayLDnxNJINTXfIkGGWGSG1ot0="),
    ("fixed:sha256:1pd2nlhik5k1j347fk8dj8sg2f9cn8bg9kvnffimg93dlhyka06j", "flat", "sha256-0gA1PaRtpFejc3bP9BayLDnxNJINTXfIkGGWGSG1ot0="),
    ("text:sha256:1pd2nlhik5k1j347fk8dj8sg2f9cn8bg9kvnffimg93dlhyka06j", "text", "sha256-0gA1PaRtpFejc3bP9BayLDnxNJINTXfIkGGWGSG1ot0="),
    ("fixed:git:sha1:a9993e364706816aba3e25717850c26c9cd0d89d", "git", "sha1-qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
    ("fixed:md5:900150983cd24fb0d6963f7d28e17f72", "flat", "md5-kAFQmDzST7DWlj99KOF/cg=="),
    ("fixed:r:sha256:short", nil, nil), ("fixed:sha3:x", nil, nil), ("sha256:x", nil, nil), ("", nil, nil), ("fixed:r", nil, nil),
] as [(String, String?, String?)])
func contentAddressJSON(_ text: String, _ method: String?, _ sri: String?) {
    let address = ContentAddress(text)
    #expect(address?.method == method && address?.sri == sri)
}
