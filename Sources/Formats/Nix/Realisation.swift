import Encoding

/// What a derivation's output came to be: a store path that was found by building, and is not told by the derivation
/// itself since its name comes from its contents (nix/src/libstore/realisation.cc; the file in a binary cache is JSON).
///
/// Clients that require signatures check those of realisations as they do those of store paths.
package struct Realisation: Hashable, Sendable {
    /// A realisation that this one was built with, and refers to.
    package struct Dependency: Hashable, Sendable {
        package let id: RealisationID
        package let outputPath: StorePath

        package init(id: RealisationID, outputPath: StorePath) {
            self.id = id
            self.outputPath = outputPath
        }
    }

    package let id: RealisationID
    package let outputPath: StorePath
    /// Sorted, each id once. Nix has written none since 2.34, and what is named by the derivation's path has none.
    package var dependencies: [Dependency]
    /// `name:base64` of 64 bytes each.
    package var signatures: [String]

    /// - Parameter dependencies: in any order, each id once.
    package init(id: RealisationID, outputPath: StorePath, dependencies: [Dependency] = [], signatures: [String] = []) {
        self.id = id
        self.outputPath = outputPath
        self.dependencies = dependencies.sorted { $0.id < $1.id }
        self.signatures = signatures
    }

    // MARK: As a file

    private static let depthMax = 8

    /// Reads the file of `id`. Members that nobody knows are left out.
    ///
    /// - Throws: with what is wrong, also where the file says that it is about another id.
    package init(json bytes: [UInt8], of id: RealisationID) throws(NixFormatError) {
        let json: JSON
        do throws(JSONError) { json = try JSON.parse(bytes, depthMax: Self.depthMax) } catch { throw Self.fail("it is \(error)") }
        guard let object = json.objectValue else { throw Self.fail("it is not a JSON object") }
        guard let output = object["outPath"]?.stringValue else { throw Self.fail("\"outPath\" must be the base name of a store path") }
        if case .hash = id, object["id"]?.stringValue != id.description {
            throw Self.fail("\"id\" must be \(id), as in its URL")
        }
        self.init(
            id: id, outputPath: try StorePath(baseName: output),
            dependencies: try Self.dependencies(object["dependentRealisations"], of: id),
            signatures: try Self.signatures(object["signatures"]))
    }

    private static func dependencies(_ json: JSON?, of id: RealisationID) throws(NixFormatError) -> [Dependency] {
        guard case .hash = id, let json, !json.isNull else { return [] }
        guard let object = json.objectValue else { throw fail("\"dependentRealisations\" must be an object") }
        var dependencies: [Dependency] = []
        for (key, value) in object.members {
            guard let output = value.stringValue else {
                throw fail("\"dependentRealisations\" must name the base name of a store path for each id")
            }
            dependencies.append(Dependency(id: try RealisationID(parsing: key), outputPath: try StorePath(baseName: output)))
        }
        return dependencies
    }

    /// Signatures are `name:base64`, or from Nix 2.35 on `{"keyName": name, "sig": base64}`.
    private static func signatures(_ json: JSON?) throws(NixFormatError) -> [String] {
        guard let json, !json.isNull else { return [] }
        guard let elements = json.arrayValue else { throw fail("\"signatures\" must be a list") }
        var signatures: [String] = []
        for element in elements {
            let text: String
            if let string = element.stringValue {
                text = string
            } else if let name = element.objectValue?["keyName"]?.stringValue, let sig = element.objectValue?["sig"]?.stringValue {
                text = "\(name):\(sig)"
            } else {
                throw fail("\"signatures\" must hold name:base64, or objects with \"keyName\" and \"sig\"")
            }
            _ = try NamedKey.parse(text, kind: "signature", byteCount: 64)
            if !signatures.contains(text) { signatures.append(text) }
        }
        return signatures
    }

    /// Whether `text` has the form that a signature of one must have.
    package static func isSignature(_ text: String) -> Bool {
        (try? NamedKey.parse(text, kind: "signature", byteCount: 64)) != nil
    }

    /// The file, in the form that the clients read which ask for such an id.
    package func json() -> [UInt8] {
        let signatures: [JSON] = signatures.map { text in
            guard case .derivation = id, let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return .string(text) }
            return ["keyName": .string(String(text[..<colon])), "sig": .string(String(text[text.utf8.index(after: colon)...]))]
        }
        var members = JSONObject()
        if case .hash = id {
            members.append("dependentRealisations", dependenciesJSON)
            members.append("id", .string(id.description))
        }
        members.append("outPath", .string(outputPath.baseName))
        members.append("signatures", .array(signatures))
        return JSON.object(members).serializedBytes()
    }

    private var dependenciesJSON: JSON {
        .object(JSONObject(dependencies.map { ($0.id.description, .string($0.outputPath.baseName)) }))
    }

    // MARK: What is signed

    /// What a signature signs: the JSON without signatures, members in the order of their names, no white space
    /// (`Realisation::fingerprint`).
    package func fingerprint() -> [UInt8] {
        let json: JSON =
            switch id {
            case .hash:
                ["dependentRealisations": dependenciesJSON, "id": .string(id.description), "outPath": .string(outputPath.baseName)]
            case .derivation(let path, let output):
                [
                    "key": ["drvPath": .string(path.baseName), "outputName": .string(output)],
                    "value": ["outPath": .string(outputPath.baseName)],
                ]
            }
        return json.serializedBytes()
    }

    /// The same with the signatures of `key` first. Others of that name are left out: they are the signer's own of another day.
    ///
    /// Where there are dependencies it signs twice. Nix 2.34 reads the file without them, and so checks another fingerprint;
    /// one good signature is enough to every version.
    package func signed(by key: SigningKey) -> Realisation {
        var signed = self
        var own = [key.sign(fingerprint())]
        if !dependencies.isEmpty {
            var alone = self
            alone.dependencies = []
            own.append(key.sign(alone.fingerprint()))
        }
        signed.signatures = own + signatures.filter { !$0.hasPrefix("\(key.name):") }
        return signed
    }

    /// What two that name the same output path say together: all signatures, those that were there first; the dependencies
    /// that were there, or else the other's.
    ///
    /// - Parameter signaturesMax: those beyond are left out.
    package func merging(_ other: Realisation, signaturesMax: Int) -> Realisation {
        precondition(id == other.id && outputPath == other.outputPath, "two realisations agree before they are merged")
        var merged = self
        if dependencies.isEmpty { merged.dependencies = other.dependencies }
        for signature in other.signatures where !signatures.contains(signature) && merged.signatures.count < signaturesMax {
            merged.signatures.append(signature)
        }
        return merged
    }

    private static func fail(_ reason: String) -> NixFormatError { NixFormatError("realisation", reason) }
}
