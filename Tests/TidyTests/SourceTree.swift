import Glibc
import Platform

/// The project's own files, as the tidy tests read them.
struct SourceTree {
    /// One text file.
    struct Text {
        /// From the top of the project: `Sources/Engines/Storage/ChunkStore.swift`.
        let path: String
        let bytes: [UInt8]

        var lines: [Substring] {
            let lines = String(decoding: bytes, as: UTF8.self).utf8
                .split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { Substring($0) }
            return lines.last == "" ? lines.dropLast() : lines
        }

        /// Whether the text has `pattern` anywhere; cheap, so that only the few files that have it are looked at by line.
        func mentions(_ pattern: String) -> Bool {
            unsafe (bytes + [0]).withUnsafeBytes { bytes in
                guard let start = unsafe bytes.bindMemory(to: CChar.self).baseAddress else { return false }
                return unsafe strstr(start, pattern) != nil
            }
        }

        /// `Engines` of `Sources/Engines/Storage/ChunkStore.swift`; nil outside `Sources`.
        var layer: String? { component(1) }
        /// `Storage` of it.
        var target: String? { component(2) }

        private func component(_ index: Int) -> String? {
            let parts = path.split(separator: "/")
            return parts.first == "Sources" && parts.count > index + 1 ? String(parts[index]) : nil
        }

        /// The lines without those that are comments only, with their numbers.
        var code: [(number: Int, line: Substring)] {
            lines.enumerated().compactMap { index, line in
                let start = line.utf8.drop { $0 == UInt8(ascii: " ") }
                return start.starts(with: "//".utf8) || start.starts(with: "#".utf8) ? nil : (index + 1, line)
            }
        }

        /// The modules that its import lines name.
        var imports: [String] {
            code.compactMap { _, line in
                guard line.utf8.first == UInt8(ascii: "i") || line.hasPrefix("@") || line.hasPrefix("p") else { return nil }
                var words = line.split(separator: " ")
                while let first = words.first, first.hasPrefix("@") || first == "package" || first == "public" { words.removeFirst() }
                guard words.first == "import", words.count >= 2 else { return nil }
                // `import struct Glibc.stat` names the module as its last word's first part.
                return words.last.flatMap { $0.split(separator: ".").first.map(String.init) }
            }
        }
    }

    let root: String

    /// The tree that this file was compiled in.
    init() { root = File.parent(of: File.parent(of: File.parent(of: #filePath))) }

    func text(_ path: String) throws(SystemError) -> Text {
        Text(path: path, bytes: try File.readAll("\(root)/\(path)"))
    }

    /// All files below `folder` whose names end in one of `endings`, in order of their paths; "" stands for names
    /// without a dot.
    func texts(below folder: String, endings: [String] = [".swift"]) throws -> [Text] {
        try Self.all.get().filter { text in
            guard text.path.hasPrefix(folder + "/") else { return false }
            let name = text.path.split(separator: "/").last ?? ""
            return endings.contains { $0.isEmpty ? !name.contains(".") : name.hasSuffix($0) }
        }
    }

    /// Everything there is, read once for all tests.
    private static let all = Result { () throws(SystemError) in
        let tree = SourceTree()
        var texts: [Text] = []
        for folder in ["Sources", "Tests", "scripts", "docs"] { texts += try tree.read(below: folder) }
        return texts
    }

    /// Folders of files that are not the project's own text.
    private static let unread: Set<String> = ["Vectors", "Corpora"]

    private func read(below folder: String) throws(SystemError) -> [Text] {
        guard File.exists("\(root)/\(folder)") else { return [] }
        var found: [Text] = []
        for name in try Directory.names("\(root)/\(folder)") where !Self.unread.contains(name) {
            let path = "\(folder)/\(name)"
            let isDirectory = try File.linkStatus("\(root)/\(path)").kind == .directory
            if isDirectory { found += try read(below: path) } else { found.append(try text(path)) }
        }
        return found
    }
}
