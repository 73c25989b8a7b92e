import Platform
import Testing

/// What a machine can check of the project's own rules, as docs/architecture.md and docs/style.md state them.
@Suite struct TidyTests {
    let tree = SourceTree()

    @Test("Each C library has one importer")
    func oneImporterPerBinding() throws {
        let bindings = Set(try Directory.names("\(tree.root)/Sources/Bindings"))
        var importers: [String: Set<String>] = [:]
        for file in try tree.texts(below: "Sources") {
            for module in file.imports where bindings.contains(module) { importers[module, default: []].insert(file.target ?? file.path) }
        }
        for (binding, targets) in importers { #expect(targets.count == 1, "\(binding) is imported by \(targets.sorted())") }
        for file in try tree.texts(below: "Tests") {
            let used = bindings.intersection(file.imports)
            #expect(used.isEmpty, "\(file.path) imports \(used.sorted()); tests go through the Swift side")
        }
    }

    @Test("Nothing below Attic imports Foundation")
    func noFoundationBelow() throws {
        for file in try tree.texts(below: "Sources") where file.layer != "Attic" && file.layer != "Tools" {
            let found = file.imports.filter { $0.hasPrefix("Foundation") }
            #expect(found.isEmpty, "\(file.path) imports \(found)")
        }
    }

    @Test("At the top lies what belongs there, and nothing that a tool left behind")
    func top() throws {
        let known: Set<String> = ["Package.swift", "Package.resolved", "README.md", "Sources", "Tests", "docs", "scripts", "server.toml.example"]
        let strangers = try Directory.names(tree.root).filter { !$0.hasPrefix(".") && !known.contains($0) }
        #expect(strangers.isEmpty, "remove them, or say in this test why they belong there")
    }

    @Test("No marks of unfinished work are left")
    func finished() throws {
        // Written apart, so that this file passes its own test.
        let words: Set<Substring> = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]
        let phrases = ["not impl" + "emented", "unimpl" + "emented", "fatal" + "Error()"]
        for folder in ["Sources", "Tests", "scripts", "docs"] {
            for file in try tree.texts(below: folder, endings: [".swift", ".h", ".c", ".sh", ".md", ""]) {
                if !(words.map(String.init) + phrases).contains(where: { file.mentions($0) }) { continue }
                for (index, line) in file.lines.enumerated() {
                    let marks = line.split { !$0.isLetter }.filter { words.contains($0) } + phrases.filter { line.contains($0) }.map { Substring($0) }
                    #expect(marks.isEmpty, "\(file.path):\(index + 1) says \(marks)")
                }
            }
        }
    }

    @Test("Checks of the compiler are overridden only where the whole project agreed to it")
    func uncheckedOnlyWhereAllowed() throws {
        let allowed: [String: [String]] = ["@unchecked Sendable": ["Sources/Primitives/Platform/Monitor.swift"]]
        for pattern in ["@unchecked Sendable", "nonisolated(unsafe)", "try" + "! ", "as" + "! ", "@preconcurrency"] {
            for file in try tree.texts(below: "Sources") 
            where file.mentions(pattern) && !allowed[pattern, default: []].contains(file.path) {
                for (number, line) in file.code {
                    #expect(!line.contains(pattern), "\(file.path):\(number) has \(pattern)")
                }
            }
        }
    }

    @Test("No file has grown above 700 lines")
    func fileSizes() throws {
        for folder in ["Sources", "Tests", "scripts"] {
            for file in try tree.texts(below: folder, endings: [".swift", ".h", ".c", ".sh", ""]) {
                let lineCount = file.bytes.count { $0 == UInt8(ascii: "\n") }
                #expect(lineCount <= 700, "\(file.path) has \(lineCount) lines; is it still one idea?")
            }
        }
    }

    @Test("Every target of the picture has its folder, and every folder its target")
    func foldersArePictured() throws {
        for layer in try LayerPicture(manifest: tree.text("Package.swift")).layers {
            #expect(try Directory.names("\(tree.root)/Sources/\(layer.name)") == layer.targets.sorted(), "Sources/\(layer.name)")
        }
    }

    @Test("The picture in docs/architecture.md is the one in Package.swift")
    func pictureIsTrue() throws {
        let picture = LayerPicture(manifest: try tree.text("Package.swift"))
        #expect(picture.layers.count == 6)
        let wanted = "A fenced block that opens with ```layers should hold exactly this:\n\(picture.text)"
        guard File.exists("\(tree.root)/docs/architecture.md") else {
            Issue.record("there is no docs/architecture.md. \(wanted)")
            return
        }
        guard let shown = LayerPicture.block(in: try tree.text("docs/architecture.md")) else {
            Issue.record("docs/architecture.md has no picture of the layers. \(wanted)")
            return
        }
        #expect(shown == picture.text, "docs/architecture.md shows another picture. \(wanted)")
    }
}
