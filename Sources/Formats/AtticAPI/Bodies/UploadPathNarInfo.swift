import Crypto
import Encoding
import Nix

/// What a client says of the NAR that it uploads: the JSON of the `X-Attic-Nar-Info` header or of the preamble.
///
/// All that will stand in a narinfo is checked here for its form, so that nothing can add a line to one. Whether the
/// NAR has this hash and size is for the server to find out.
package struct UploadPathNarInfo: Hashable, Sendable {
    package let cache: CacheName
    package let storePathHash: StorePathHash
    /// In full: `/nix/store/HASH-NAME`. Its hash is `storePathHash`; whether its directory is the cache's is not checked.
    package let storePath: String
    package let references: [StorePath]
    /// `x86_64-linux`
    package let system: String?
    package let deriver: StorePath?
    /// `name:base64` each.
    package let signatures: [String]
    package let ca: String?
    package let narHash: SHA256Digest
    /// In bytes, uncompressed.
    package let narSize: Int64

    package init(
        cache: CacheName, storePathHash: StorePathHash, storePath: String, references: [StorePath], system: String? = nil,
        deriver: StorePath? = nil, signatures: [String] = [], ca: String? = nil, narHash: SHA256Digest, narSize: Int64
    ) {
        self.cache = cache
        self.storePathHash = storePathHash
        self.storePath = storePath
        self.references = references
        self.system = system
        self.deriver = deriver
        self.signatures = signatures
        self.ca = ca
        self.narHash = narHash
        self.narSize = narSize
    }

    package init(json bytes: [UInt8]) throws(APIFormatError) {
        let members = try MemberReader(bytes)
        let hash = try required("store_path_hash") { name throws(APIFormatError) in
            try members.value(name, "32 characters of Nix's base 32") { $0.stringValue.flatMap { StorePathHash($0) } }
        }
        let storePath = try required("store_path") { name throws(APIFormatError) in
            let allowed = "a full store path, as /nix/store/HASH-NAME, with the hash of \"store_path_hash\""
            return try members.value(name, allowed) { json in
                json.stringValue.flatMap { text in storePathAtEnd(of: text)?.hash == hash ? text : nil }
            }
        }
        var references: [StorePath] = []
        for (index, text) in try required("references", members.strings).enumerated() {
            do throws(NixFormatError) { references.append(try StorePath(baseName: text)) } catch {
                throw APIFormatError(member: "references[\(index)]", "must be the base name of a store path: \(error)")
            }
        }
        self.init(
            cache: try required("cache", members.cacheName),
            storePathHash: hash,
            storePath: storePath,
            references: references,
            system: try members.line("system"),
            deriver: try Self.deriver(members),
            signatures: try members.value("sigs", "a list of signatures, name:base64 each") { json in
                json.stringsValue.flatMap { $0.allSatisfy(isSignature) ? $0 : nil }
            } ?? [],
            ca: try Self.contentAddress(members),
            narHash: try required("nar_hash") { name throws(APIFormatError) in
                try members.value(name, "sha256: and 64 hex digits, or 52 characters of Nix's base 32") { json in
                    json.stringValue.flatMap { try? NixHash(parsing: $0) }?.digest
                }
            },
            narSize: try required("nar_size") { name throws(APIFormatError) in try members.integer(name, in: 0...(.max)) })
    }

    /// A content address: one word, or nothing.
    private static func contentAddress(_ members: MemberReader) throws(APIFormatError) -> String? {
        let text = try members.value("ca", "a content address, without white space") { json in
            json.stringValue.flatMap { $0.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F } ? $0 : nil }
        }
        return text?.isEmpty == true ? nil : text
    }

    /// A base name, or a full path; Nix writes `unknown-deriver` where it knows none.
    private static func deriver(_ members: MemberReader) throws(APIFormatError) -> StorePath? {
        guard let text = try members.string("deriver"), !text.isEmpty, text != "unknown-deriver" else { return nil }
        let path = text.hasPrefix("/") ? storePathAtEnd(of: text) : try? StorePath(baseName: text)
        guard let path else { throw APIFormatError(member: "deriver", "must be a store path") }
        return path
    }

    package func json() -> [UInt8] {
        JSONObject(present: [
            ("cache", .string(cache.rawValue)),
            ("store_path_hash", .string(storePathHash.description)),
            ("store_path", .string(storePath)),
            ("references", .strings(references.map(\.baseName))),
            ("system", system.map { .string($0) }),
            ("deriver", deriver.map { .string($0.baseName) }),
            ("sigs", .strings(signatures)),
            ("ca", ca.map { .string($0) }),
            ("nar_hash", .string(NixHash(narHash).typedHex)),
            ("nar_size", .integer(narSize)),
        ]).wireBytes
    }
}

/// The store path that an absolute path ends with.
private func storePathAtEnd(of text: String) -> StorePath? {
    guard text.hasPrefix("/"), let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")), slash != text.startIndex
    else { return nil }
    let directory = text[..<slash]
    guard directory.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
    return try? StorePath(baseName: String(text[text.utf8.index(after: slash)...]))
}

/// Whether `text` has the form of a signature: no white space, and a colon with something on both sides of it.
private func isSignature(_ text: String) -> Bool {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
        return false
    }
    return colon != text.startIndex && text.utf8.index(after: colon) != text.endIndex
}
