/// Why text is not what Nix would write: which kind of thing it should have been, and the reason.
package struct NixFormatError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was to be read: `store path`, `narinfo`, `secret key`.
    package let kind: String
    /// A sentence without its full stop. Never holds a secret.
    package let reason: String

    package init(_ kind: String, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    /// `invalid store path: "foo" is too short`
    package var description: String { "invalid \(kind): \(reason)" }
}

/// Text as an error quotes it: in quotation marks, control characters as `?`, and cut off where it is long.
func quoted(_ text: some StringProtocol) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8.prefix(300) { bytes.append(byte < 0x20 || byte == 0x7f ? UInt8(ascii: "?") : byte) }
    let isCut = text.utf8.count > bytes.count
    return "\"\(String(decoding: bytes, as: UTF8.self))\(isCut ? "…" : "")\""
}
