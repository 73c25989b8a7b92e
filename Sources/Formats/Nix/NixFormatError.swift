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
