extension JSON {
    /// The value as text without any white space, members in their order. What `parse` reads back equal, with one
    /// exception: JSON has no infinity and no NaN; they are written as `null`.
    package func serialized() -> String { String(decoding: serializedBytes(), as: UTF8.self) }

    /// The same as bytes of UTF-8.
    package func serializedBytes() -> [UInt8] {
        var text: [UInt8] = []
        write(to: &text)
        return text
    }

    private func write(to text: inout [UInt8]) {
        switch self {
        case .null:
            text += "null".utf8
        case .bool(let value):
            text += (value ? "true" : "false").utf8
        case .integer(let value):
            text += value.description.utf8
        case .number(let value):
            // The shortest digits that read back as the same double; `1e+20` is JSON as it stands.
            text += (value.isFinite ? value.description : "null").utf8
        case .string(let value):
            Self.write(value, to: &text)
        case .array(let elements):
            text.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                element.write(to: &text)
            }
            text.append(UInt8(ascii: "]"))
        case .object(let object):
            text.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                Self.write(member.key, to: &text)
                text.append(UInt8(ascii: ":"))
                member.value.write(to: &text)
            }
            text.append(UInt8(ascii: "}"))
        }
    }

    /// A string with its quotes. Escaped is only what RFC 8259, section 7, demands.
    private static func write(_ string: String, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "\""))
        let bytes = string.utf8.span
        var start = 0
        for index in bytes.indices {
            let byte = bytes[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            append(bytes.extracting(start..<index), to: &text)
            start = index + 1
            escape(byte, to: &text)
        }
        append(bytes.extracting(start..<bytes.count), to: &text)
        text.append(UInt8(ascii: "\""))
    }

    /// Bytes that stand for themselves, in one step.
    private static func append(_ bytes: Span<UInt8>, to text: inout [UInt8]) {
        unsafe bytes.withUnsafeBufferPointer { unsafe text.append(contentsOf: $0) }
    }

    private static func escape(_ byte: UInt8, to text: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
        case 0x08: text += "\\b".utf8
        case 0x09: text += "\\t".utf8
        case 0x0a: text += "\\n".utf8
        case 0x0c: text += "\\f".utf8
        case 0x0d: text += "\\r".utf8
        default:
            text += "\\u00".utf8
            text += [Hex.digit(byte >> 4), Hex.digit(byte & 0x0f)]
        }
    }
}
