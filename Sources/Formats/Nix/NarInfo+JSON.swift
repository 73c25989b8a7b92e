import Encoding

/// The store object's info as JSON, version 2, with the binary cache's members and the path itself: a line of `get-narinfos-v1`
/// (nix/src/libstore/path-info.cc and nar-info.cc, `UnkeyedNarInfo::toJSON` and `NarInfo::toJSON`).
extension NarInfo {
    /// - Parameter partialClosure: base names of paths that this one needs by way of its references: a hint, so that a client
    ///   need not ask for the references before it asks for those.
    package func json(partialClosure: [String] = []) -> JSON {
        var members: [(String, JSON)] = [
            ("version", .integer(2)),
            ("path", .string(storePath.baseName)),
            ("storeDir", .string(storeDirectory)),
            ("narHash", .string(NixHash(narHash).sri)),
            ("narSize", .integer(narSize)),
            ("references", .array(references.map { .string($0) })),
            ("ca", ca.flatMap(ContentAddress.init)?.json ?? .null),
            ("deriver", deriver.map { .string($0) } ?? .null),
            ("registrationTime", .null),
            ("ultimate", .bool(false)),
            ("signatures", .array(signatures.map { .string($0) })),
            ("url", .string(url)),
            ("compression", .string(compression)),
        ]
        if let fileHash { members.append(("downloadHash", .string(NixHash(fileHash).sri))) }
        if let fileSize { members.append(("downloadSize", .integer(fileSize))) }
        if !partialClosure.isEmpty { members.append(("partialClosure", .array(partialClosure.map { .string($0) }))) }
        return .object(JSONObject(members))
    }
}

/// A content address as narinfo writes it: `fixed:r:sha256:…`, `fixed:sha256:…`, `fixed:git:sha1:…`, `text:sha256:…`, the hash in
/// base 32 or 16 (nix/src/libstore/content-address.cc).
struct ContentAddress {
    /// How the path was made into what is hashed: `nar`, `flat`, `git`, `text`.
    let method: String
    /// `sha256-` and base 64.
    let sri: String

    /// Nil where it has no such form.
    init?(_ text: String) {
        var parts = text.split(separator: ":", omittingEmptySubsequences: false)[...]
        switch parts.popFirst() {
        case "text": method = "text"
        case "fixed":
            switch parts.first {
            case "r": method = "nar"
            case "git": method = "git"
            default: method = "flat"
            }
            if method != "flat" { parts.removeFirst() }
        default: return nil
        }
        guard parts.count == 2, let algorithm = parts.first, let digits = parts.last,
            let byteCount = Self.byteCounts[String(algorithm)]
        else { return nil }
        let bytes = digits.utf8.count == byteCount * 2 ? Hex.decode(utf8: Array(digits.utf8)) : NixBase32.decode(digits)
        guard let bytes, bytes.count == byteCount else { return nil }
        sri = "\(algorithm)-\(Base64.encode(bytes))"
    }

    var json: JSON { .object(["method": .string(method), "hash": .string(sri)]) }

    private static let byteCounts = ["md5": 16, "sha1": 20, "sha256": 32, "sha512": 64, "blake3": 32]
}
