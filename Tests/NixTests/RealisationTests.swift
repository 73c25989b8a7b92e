import Crypto
import Encoding
import Testing

@testable import Nix

private let hash = String(repeating: "ab", count: 32)
private let output = "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-foo"
private let derivation = "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv"
private let signature = "asdf:\(Base64.encode([UInt8](repeating: 0, count: 64)))"

private func read(_ json: String, of id: RealisationID) throws -> Realisation { try Realisation(json: Array(json.utf8), of: id) }

@Suite("Realisations")
struct RealisationTests {
    @Test("are found by the file that a binary cache keeps them in, and by nothing like it")
    func files() throws {
        let old = try RealisationID(file: ["realisations", "sha256:\(hash)!out.doi"])
        let bytes = try #require(Hex.decode(hash))
        let digest = try #require(SHA256Digest(bytes))
        #expect(old == .hash(digest, output: "out"))
        #expect(old.description == "sha256:\(hash)!out" && old.filePath == "realisations/sha256:\(hash)!out.doi")
        let new = try RealisationID(file: ["build-trace-v2", derivation, "out.doi"])
        #expect(new == .derivation(try StorePath(baseName: derivation), output: "out"))
        #expect(new.description == "\(derivation)^out" && new.filePath == "build-trace-v2/\(derivation)/out.doi")
        // An output may have dots in its name.
        #expect(try RealisationID(file: ["build-trace-v2", derivation, "a.doi.doi"]).filePath.hasSuffix("/a.doi.doi"))
    }

    @Test("are not asked for by another spelling", arguments: [
        ["realisations", "sha256:\(hash)!out"], ["realisations", "sha256:\(hash).doi"], ["realisations", "sha256:\(hash)!.doi"],
        ["realisations", "sha256:\(hash.uppercased())!out.doi"], ["realisations", "sha256:\(hash.dropLast())!out.doi"],
        ["realisations", "sha256:\(NixBase32.encode([UInt8](repeating: 7, count: 32)))!out.doi"],
        ["realisations", "\(hash)!out.doi"], ["realisations", "sha256:\(hash)!../x.doi"], ["realisations", "sha256:\(hash)!a b.doi"],
        ["realisations", "sha256:\(hash)!a!b.doi"], ["realisations", ".doi"], ["build-trace-v2", output, "out.doi"],
        ["build-trace-v2", derivation, ".doi"], ["build-trace-v2", derivation, "..doi"], ["build-trace-v2", "x.drv", "out.doi"],
        ["build-trace-v2", derivation, "out"], ["build-trace-v2", derivation], ["log", derivation, "out.doi"], [],
    ])
    func otherFiles(segments: [String]) {
        #expect(throws: NixFormatError.self) { try RealisationID(file: segments) }
    }

    @Test("of Nix from 2.35 on are signed as Nix signs them")
    func newSignatures() throws {
        // The key, the fingerprint and the signature are those of Nix's own tests.
        let key = try SigningKey(
            parsing: "test-key:tU7tTvLcScf8pmz/eTV0BEtLmRsPpZfKaRcd0nCN+pysBZPHSeg61/u2oc7mIOewfuAY1V1BiX32homTaDJ2Jw==")
        let id = RealisationID.derivation(try StorePath(baseName: derivation), output: "foo")
        let realisation = try read(#"{"outPath":"\#(output)","signatures":[]}"#, of: id)
        #expect(
            String(decoding: realisation.fingerprint(), as: UTF8.self)
                == #"{"key":{"drvPath":"\#(derivation)","outputName":"foo"},"value":{"outPath":"\#(output)"}}"#)
        let signed = realisation.signed(by: key)
        #expect(
            signed.signatures
                == ["test-key:WsjxK4/EI74COtzMDI+VCjQU9O4FydK0+YeY1CE5hUevogd+T+CPvNXza7oog3GTMS+ZlBwsC2S3ppwusKnJDg=="])
        #expect(
            String(decoding: signed.json(), as: UTF8.self)
                == #"{"outPath":"\#(output)","signatures":[{"keyName":"test-key","sig":"WsjxK4/EI74COtzMDI+VCjQU9O4FydK0+YeY1CE5hUevogd+T+CPvNXza7oog3GTMS+ZlBwsC2S3ppwusKnJDg=="}]}"#)
        #expect(try Realisation(json: signed.json(), of: id) == signed)
    }

    @Test("of Nix to 2.34 are signed with what they depend on, and without, for the version that leaves it out")
    func oldSignatures() throws {
        let id = try RealisationID(parsing: "sha256:\(hash)!out")
        let other = "sha256:\(String(repeating: "0", count: 64))!dev"
        let realisation = try read(
            #"{"signatures":["\#(signature)"],"outPath":"\#(output)","id":"\#(id)","dependentRealisations":{"\#(id)":"\#(output)","\#(other)":"\#(output)"}}"#,
            of: id)
        let fingerprint = #"{"dependentRealisations":{"\#(other)":"\#(output)","\#(id)":"\#(output)"},"id":"\#(id)","outPath":"\#(output)"}"#
        #expect(String(decoding: realisation.fingerprint(), as: UTF8.self) == fingerprint)
        let key = try SigningKey.generate(name: "cache")
        let signed = realisation.signed(by: key).signed(by: key)
        #expect(signed.signatures.count == 3 && signed.signatures[2] == signature)
        #expect(key.publicKey.verifies(signature: signed.signatures[0], message: Array(fingerprint.utf8)))
        let alone = #"{"dependentRealisations":{},"id":"\#(id)","outPath":"\#(output)"}"#
        #expect(key.publicKey.verifies(signature: signed.signatures[1], message: Array(alone.utf8)))
        #expect(try Realisation(json: signed.json(), of: id) == signed)
        let withoutOthers = try read(alone, of: id)
        #expect(withoutOthers.signed(by: key).signatures == [signed.signatures[1]])
    }

    @Test("have their signatures read in both of Nix's forms, each once")
    func signatureForms() throws {
        let id = RealisationID.derivation(try StorePath(baseName: derivation), output: "foo")
        let sig = signature.dropFirst("asdf:".count)
        let realisation = try read(
            #"{"outPath":"\#(output)","signatures":["\#(signature)",{"keyName":"asdf","sig":"\#(sig)"}],"more":1}"#, of: id)
        #expect(realisation.signatures == [signature])
    }

    @Test("that say the same are merged, up to a bound")
    func merging() throws {
        let id = try RealisationID(parsing: "sha256:\(hash)!out")
        let path = try StorePath(baseName: output)
        let dependency = Realisation.Dependency(id: id, outputPath: path)
        let first = Realisation(id: id, outputPath: path, signatures: ["a:1", "b:2"])
        let second = Realisation(id: id, outputPath: path, dependencies: [dependency], signatures: ["b:2", "c:3", "d:4"])
        let merged = first.merging(second, signaturesMax: 3)
        #expect(merged.signatures == ["a:1", "b:2", "c:3"] && merged.dependencies == [dependency])
        #expect(second.merging(first, signaturesMax: 100).dependencies == [dependency])
    }

    @Test("are refused where anything of them is malformed", arguments: [
        "", "[]", "{}", #"{"id":"ID"}"#, #"{"id":"ID","outPath":7}"#, #"{"id":"ID","outPath":"/nix/store/OUT"}"#,
        #"{"id":"ID","outPath":"x"}"#, #"{"outPath":"OUT"}"#, #"{"id":"sha256:x!out","outPath":"OUT"}"#,
        #"{"id":"ID","outPath":"OUT","signatures":{}}"#, #"{"id":"ID","outPath":"OUT","signatures":["x"]}"#,
        #"{"id":"ID","outPath":"OUT","signatures":["x:AAAA"]}"#, #"{"id":"ID","outPath":"OUT","signatures":[{"keyName":"x"}]}"#,
        #"{"id":"ID","outPath":"OUT","dependentRealisations":[]}"#, #"{"id":"ID","outPath":"OUT","dependentRealisations":{"x":"OUT"}}"#,
        #"{"id":"ID","outPath":"OUT","dependentRealisations":{"ID":"x"}}"#, #"{"id":"ID","outPath":"OUT","dependentRealisations":{"ID":1}}"#,
        #"{"id":"ID","outPath":"OUT"} x"#,
    ])
    func flaws(json: String) throws {
        let id = try RealisationID(parsing: "sha256:\(hash)!out")
        let text = json.split(separator: "ID", omittingEmptySubsequences: false).joined(separator: id.description)
            .split(separator: "OUT", omittingEmptySubsequences: false).joined(separator: output)
        #expect(throws: NixFormatError.self) { try read(text, of: id) }
    }
}
