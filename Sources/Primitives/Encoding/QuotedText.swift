/// A stranger's text as an error quotes it: in quotation marks, control characters as `?`, and cut off where it is long. So an
/// error stays one line and short (Nix shows bodies below 1 KB), and nothing in it moves a terminal's cursor.
///
/// - Parameter scalarCountMax: how much of it is shown.
package func quoted(_ text: some StringProtocol, scalarCountMax: Int = 100) -> String {
    let start = text.unicodeScalars.prefix(scalarCountMax)
    let isCut = start.endIndex != text.unicodeScalars.endIndex
    return "\"\(withoutControls(start))\(isCut ? "…" : "")\""
}

/// The text with `?` for each control character.
package func withoutControls(_ text: some Sequence<Unicode.Scalar>) -> String {
    String(String.UnicodeScalarView(text.map { $0.isControl ? "?" : $0 }))
}

extension Unicode.Scalar {
    /// Whether it is a control character, of Unicode's second block of them too: terminals obey those as well (ECMA-48, section 5.3).
    package var isControl: Bool { value < 0x20 || (0x7F...0x9F).contains(value) }
}
