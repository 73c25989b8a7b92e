/// One table of a document, with getters that check. A table that the text has not is an empty one.
package struct TOMLSection {
    let file: TOMLFile
    /// The keys that lead here; empty for the document itself.
    package let path: [String]
    let values: [String: TOMLNode]

    /// The keys it has, in the order of the text.
    package var keys: [String] {
        values.keys.sorted { (position(of: $0), $0) < (position(of: $1), $1) }
    }

    /// Whether it has the key. The key counts as asked for.
    package func has(_ key: String) -> Bool { find(key) != nil }

    // MARK: Getters; nil where the key is not there

    package func string(_ key: String) throws(ConfigFileError) -> String? {
        switch find(key) {
        case nil: nil
        case .string(let text)?: text
        case let other?: throw wrongKind(key, other, "a string in quotes")
        }
    }

    package func bool(_ key: String) throws(ConfigFileError) -> Bool? {
        switch find(key) {
        case nil: nil
        case .bool(let truth)?: truth
        case let other?: throw wrongKind(key, other, "true or false")
        }
    }

    /// - Parameter allowed: the values that are taken; all others are an error that says so.
    package func integer(_ key: String, in allowed: ClosedRange<Int64>) throws(ConfigFileError) -> Int64? {
        switch find(key) {
        case nil: return nil
        case .integer(let number)?:
            guard allowed.contains(number) else {
                throw error(at: key, "\(number) is not allowed for \"\(key)\"; write \(bounds(allowed))")
            }
            return number
        case let other?: throw wrongKind(key, other, bounds(allowed))
        }
    }

    package func strings(_ key: String) throws(ConfigFileError) -> [String]? {
        guard let node = find(key) else { return nil }
        guard case .array(let elements) = node else { throw wrongKind(key, node, "a list of strings, as in [\"a\", \"b\"]") }
        var texts: [String] = []
        for element in elements {
            guard case .string(let text) = element else {
                throw error(at: key, "\"\(key)\" holds \(element.kind); write a list of strings, as in [\"a\", \"b\"]")
            }
            texts.append(text)
        }
        return texts
    }

    /// One string, or a list of them.
    package func stringOrStrings(_ key: String) throws(ConfigFileError) -> [String]? {
        switch find(key) {
        case nil: nil
        case .string(let text)?: [text]
        case .array?: try strings(key)
        case let other?: throw wrongKind(key, other, "a string in quotes, or a list of strings")
        }
    }

    /// The table below `key`; an empty one where it is not there.
    package func section(_ key: String) throws(ConfigFileError) -> TOMLSection {
        switch find(key) {
        case nil: TOMLSection(file: file, path: path + [key], values: [:])
        case .table(let members)?: TOMLSection(file: file, path: path + [key], values: members)
        case let other?: throw wrongKind(key, other, "a table, as in [\((path + [key]).joined(separator: "."))]")
        }
    }

    // MARK: Errors

    /// An error about the value of `key`; where the section has no such key, about the one that looks like a slip of it, or else
    /// about the section.
    ///
    /// - Parameter message: what is wrong and what is allowed.
    package func error(at key: String, _ message: String) -> ConfigFileError {
        let strangers = values.keys.filter { $0.utf8.count > 2 && !file.wasAsked(path + [$0]) }
        if values[key] == nil, let slip = nearest(to: key, among: strangers) {
            let place = path.isEmpty ? "" : " in [\(path.joined(separator: "."))]"
            let message = "unknown key \"\(slip)\"\(place); did you mean \"\(key)\"?"
            return ConfigFileError(file: file.name, at: position(of: slip), message)
        }
        let place = file.places[path + [key]]?.value ?? file.places[path]?.key ?? .start
        return ConfigFileError(file: file.name, at: place, message)
    }

    /// An error about the section as a whole.
    package func error(_ message: String) -> ConfigFileError {
        ConfigFileError(file: file.name, at: file.places[path]?.key ?? .start, message)
    }

    // MARK: -

    private func find(_ key: String) -> TOMLNode? {
        file.note(path + [key])
        return values[key]
    }

    private func position(of key: String) -> TOMLPosition { file.places[path + [key]]?.key ?? .start }

    private func wrongKind(_ key: String, _ node: TOMLNode, _ allowed: String) -> ConfigFileError {
        error(at: key, "\"\(key)\" is \(node.kind); write \(allowed)")
    }

    private func bounds(_ range: ClosedRange<Int64>) -> String {
        range.upperBound == .max
            ? "an integer of at least \(range.lowerBound)" : "an integer from \(range.lowerBound) to \(range.upperBound)"
    }
}
