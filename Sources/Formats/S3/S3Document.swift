/// What S3 says in XML, as far as it is asked: elements with text in them, in order.
///
/// No more of XML is read than S3 writes: no document types, no entities but the five of XML and characters by number, so that
/// nothing in an answer can grow or lead elsewhere. Attributes are skipped.
package struct S3Document: Sendable, Hashable {
    /// An element: its name without a prefix, its own text, what is inside.
    package struct Element: Sendable, Hashable {
        package let name: String
        package fileprivate(set) var text = ""
        package fileprivate(set) var children: [Element] = []

        /// The text of the first child of that name; nil where there is none.
        package func text(of name: String) -> String? { children.first { $0.name == name }?.text }

        package func all(_ name: String) -> [Element] { children.filter { $0.name == name } }
    }

    package let root: Element

    /// Elements within one another; S3 has four.
    private static let depthMax = 16

    /// Reads a document; nil where it is none, or ends early.
    package init?(_ bytes: [UInt8]) {
        var open: [Element] = []
        var position = 0
        while position < bytes.count {
            if bytes[position] != UInt8(ascii: "<") {
                let end = bytes[position...].firstIndex(of: UInt8(ascii: "<")) ?? bytes.count
                if !open.isEmpty {
                    guard let text = S3Document.text(bytes[position..<end]) else { return nil }
                    open[open.count - 1].text += text
                }
                position = end
                continue
            }
            guard let end = bytes[position...].firstIndex(of: UInt8(ascii: ">")) else { return nil }
            let tag = bytes[(position + 1)..<end]
            position = end + 1
            switch tag.first {
            case UInt8(ascii: "?"): continue
            case UInt8(ascii: "!"), nil: return nil
            case UInt8(ascii: "/"):
                guard let last = open.popLast(), last.name == S3Document.name(tag.dropFirst()) else { return nil }
                guard let parent = open.indices.last else {
                    root = last
                    return
                }
                open[parent].children.append(last)
            default:
                guard open.count < S3Document.depthMax else { return nil }
                let isEmpty = tag.last == UInt8(ascii: "/")
                let element = Element(name: S3Document.name(isEmpty ? tag.dropLast() : tag))
                if !isEmpty {
                    open.append(element)
                } else if let parent = open.indices.last {
                    open[parent].children.append(element)
                } else {
                    root = element
                    return
                }
            }
        }
        return nil
    }

    private static func name(_ tag: ArraySlice<UInt8>) -> String {
        let name = tag.prefix { $0 > 0x20 }
        let local = name.lastIndex(of: UInt8(ascii: ":")).map { name[($0 + 1)...] } ?? name
        return String(decoding: local, as: UTF8.self)
    }

    /// The characters that bytes between tags stand for; nil where a reference is not one of XML's own.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
        // By scalars: a mark that combines with a ";" makes another character of both.
        var result = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let start = rest.firstIndex(of: "&") {
            result += rest[..<start]
            guard let end = rest[start...].firstIndex(of: ";"),
                let character = character(Substring(rest[rest.index(after: start)..<end]))
            else { return nil }
            result.append(character)
            rest = rest[rest.index(after: end)...]
        }
        return String(result + rest)
    }

    private static func character(_ reference: Substring) -> Unicode.Scalar? {
        switch reference {
        case "amp": return "&"
        case "lt": return "<"
        case "gt": return ">"
        case "quot": return "\""
        case "apos": return "'"
        default:
            if reference.hasPrefix("#x") { return UInt32(reference.dropFirst(2), radix: 16).flatMap(Unicode.Scalar.init) }
            return reference.hasPrefix("#") ? UInt32(reference.dropFirst()).flatMap(Unicode.Scalar.init) : nil
        }
    }

    /// A text as it stands in a document.
    package static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
