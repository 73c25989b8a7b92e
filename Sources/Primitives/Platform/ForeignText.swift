// What strangers send stands in logs and on terminals: names, messages of servers and daemons, what is wrong with a request. A
// line end in it would be a line of its own there, and an escape sequence an order to the terminal.

extension Unicode.Scalar {
    /// Whether it does something to whatever shows it, rather than being shown: the control characters of ECMA-48 (C0, DEL and C1,
    /// of which U+009B begins a sequence as ESC [ does), line separators, and what turns the direction of writing around
    /// (Unicode Technical Report 36, section 2.5), so that text reads as another than it is.
    package var actsOnTerminals: Bool {
        switch value {
        case 0x00..<0x20, 0x7F..<0xA0, 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }
}

extension String {
    /// The text with its control characters written out: `\n`, `\u{1b}`. All else is as it was, also a backslash.
    ///
    /// - Parameter keepingLineEnds: leaves line feeds, of text that was put together of several lines here.
    package func escapingControls(keepingLineEnds: Bool = false) -> String {
        func isHostile(_ scalar: Unicode.Scalar) -> Bool { scalar.actsOnTerminals && !(keepingLineEnds && scalar == "\n") }
        guard unicodeScalars.contains(where: isHostile) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case _ where !isHostile(scalar): text.unicodeScalars.append(scalar)
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default: text += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return text
    }
}
