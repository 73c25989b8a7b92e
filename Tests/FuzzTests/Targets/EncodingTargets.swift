import AtticAPI
import Crypto
import Encoding
import Nix

extension FuzzTarget {
    /// Digits of all bases, hashes, names, durations, keys.
    static let encodings = [
        FuzzTarget("encodings", byteCountMax: 512) { try checkEncodings($0) },
        FuzzTarget(text: "names", byteCountMax: 512) { try checkNames($0) },
    ]
}

private func checkEncodings(_ bytes: [UInt8]) throws {
    // Bytes to text and back.
    try same(NixBase32.decode(utf8: NixBase32.encodeUTF8(bytes)), bytes, "base 32")
    try same(NixBase32.encodeUTF8(bytes).count, NixBase32.characterCount(ofByteCount: bytes.count), "characters of base 32")
    try same(Base64.decode(Base64.encode(bytes)), bytes, "base 64")
    try same(Base64.decodeURL(Base64.encodeURL(bytes)), bytes, "base 64 for URLs")
    try same(Hex.decode(Hex.encode(bytes)), bytes, "base 16")
    // Text to bytes and back: each has one spelling.
    if let decoded = NixBase32.decode(utf8: bytes) { try same(NixBase32.encodeUTF8(decoded), bytes, "base 32 has one spelling") }
    if let decoded = Hex.decode(utf8: bytes) {
        try same(Hex.encode(decoded), String(decoding: bytes, as: UTF8.self).lowercased(), "base 16 has one spelling in lower case")
    }
    for byte in bytes {
        try same(NixBase32.isCharacter(byte), "0123456789abcdfghijklmnpqrsvwxyz".utf8.contains(byte), "what is a character of base 32: \(byte)")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { return }
    if let decoded = Base64.decode(text) { try same(Base64.encode(decoded), text, "base 64 has one spelling") }
    if let decoded = Base64.decodeURL(text) { try same(Base64.encodeURL(decoded), text, "base 64 for URLs has one spelling") }
}

private func checkNames(_ text: String) throws {
    if let hash = try? NixHash(parsing: text) {
        for form in [hash.typedBase32, hash.typedHex, hash.sri] { try same(try NixHash(parsing: form), hash, "a hash in another form") }
    }
    do {
        let path = try StorePath(baseName: text)
        try same("\(path.hash)-\(path.name)", text, "a store path has a hash and a name")
        try same(try StorePath(absolute: path.absolute()), path, "a store path in full")
        try rule(text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2F }, "a store path is safe as a file's name")
        try rule(StorePath.isName(path.name), "its name is one")
    } catch {
        if error is BrokenRule { throw error }
        try readable(error)
    }
    if let hash = StorePathHash(text) { try same(hash.description, text, "a store path's hash") }
    if let name = CacheName(text) {
        try rule(CacheNamePattern(name).matches(name) && CacheNamePattern.all.matches(name), "a name matches itself")
        try rule(CacheNamePattern(text)?.rawValue == text, "a name is a pattern")
    }
    // `PATTERN NAME`, against the definition.
    let words = text.split(separator: " ").map(String.init)
    if words.count == 2, let pattern = CacheNamePattern(words[0]), let name = CacheName(words[1]) {
        try same(pattern.matches(name), covers(Array(pattern.rawValue.utf8)[...], Array(name.rawValue.utf8)), "whether \(pattern) covers \(name)")
    }
    do { try rule(try DurationWords.parse(text) >= 0, "a duration is not negative") } catch {
        if error is BrokenRule { throw error }
        guard error is DurationError else { throw error }
    }
    if let key = try? PublicKey(parsing: text) { try same(key.rendered, text, "a public key") }
    if let key = try? SigningKey(parsing: text) { try same(key.rendered, text, "a secret key") }
    do throws(NixFormatError) { _ = try SigningKey(parsing: text) } catch { try readable(error) }
    if PublicKey.isSignature(text) { try rule(NarInfo.isSignature(text), "a signature may stand in a narinfo") }
}

/// Whether a pattern covers a text, by all that its stars could stand for: a table of what each beginning of both does.
private func covers(_ pattern: ArraySlice<UInt8>, _ text: [UInt8]) -> Bool {
    var row = [true] + [Bool](repeating: false, count: text.count)
    for character in pattern {
        var next = [Bool](repeating: false, count: text.count + 1)
        for end in 0...text.count {
            next[end] = character == UInt8(ascii: "*") ? row[end] || end > 0 && next[end - 1] : end > 0 && row[end - 1] && text[end - 1] == character
        }
        row = next
    }
    return row[text.count]
}
