/// Text of lines `Name: value`, which narinfo and nix-cache-info are.
enum ManifestText {
    struct Line {
        /// From 1.
        let number: Int
        let name: String
        let value: String
    }

    /// The lines of a file.
    ///
    /// - Parameters:
    ///   - kind: names the file in errors.
    ///   - isStrict: every line, also the last, ends in a newline and has a colon (Nix wants that of a narinfo);
    ///     otherwise a line without a colon is passed over.
    /// - Throws: where the bytes are not UTF-8, or a strict line is not as it must be.
    static func lines(of bytes: [UInt8], kind: String, isStrict: Bool) throws(NixFormatError) -> [Line] {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw NixFormatError(kind, "it is not UTF-8") }
        var lines: [Line] = []
        var start = 0
        var number = 0
        while start < bytes.count {
            number += 1
            let newline = bytes[start...].firstIndex(of: UInt8(ascii: "\n"))
            if newline == nil && isStrict { throw NixFormatError(kind, "line \(number) does not end in a newline") }
            let end = newline ?? bytes.count
            defer { start = end + 1 }
            guard let colon = bytes[start..<end].firstIndex(of: UInt8(ascii: ":")) else {
                if isStrict { throw NixFormatError(kind, "line \(number) has no colon") }
                continue
            }
            // One character is skipped after the colon, as Nix does: the space.
            let value = min(colon + 2, end)
            if isStrict && (value == colon + 1 || bytes[colon + 1] != UInt8(ascii: " ")) {
                throw NixFormatError(kind, "line \(number) has no space after its colon")
            }
            lines.append(Line(
                number: number, name: String(decoding: bytes[start..<colon], as: UTF8.self),
                value: String(decoding: bytes[value..<end], as: UTF8.self)))
        }
        return lines
    }
}
