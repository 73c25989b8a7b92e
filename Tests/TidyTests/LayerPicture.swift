/// The layers and their targets, as Package.swift declares them and docs/architecture.md shows them:
///
///     Tools: atticd atticadm tetryx
///     Attic: AtticServer AtticClient
///
/// The highest layer stands first; within a layer the targets stand as in Package.swift.
struct LayerPicture {
    var layers: [(name: String, targets: [String])] = []

    /// Reads the lines `Layer("Name", [` and `.swift("Target"` of the manifest.
    init(manifest: SourceTree.Text) {
        for (_, line) in manifest.code {
            let start = line.drop { $0 == " " }
            if start.hasPrefix("Layer(\"") {
                layers.append((Self.quoted(start), []))
            } else if !layers.isEmpty, [".c(\"", ".system(\"", ".swift(\"", ".tool(\""].contains(where: { start.hasPrefix($0) }) {
                layers[layers.count - 1].targets.append(Self.quoted(start))
            }
        }
    }

    private static func quoted(_ line: Substring) -> String {
        line.split(separator: "\"", omittingEmptySubsequences: false).dropFirst().first.map(String.init) ?? ""
    }

    var text: String {
        layers.reversed().map { "\($0.name): \($0.targets.joined(separator: " "))" }.joined(separator: "\n")
    }

    /// What stands between ```` ```layers ```` and the end of that block; nil where there is none.
    static func block(in document: SourceTree.Text) -> String? {
        guard let start = document.lines.firstIndex(of: "```layers") else { return nil }
        let rest = document.lines[(start + 1)...]
        return rest.prefix { $0 != "```" }.joined(separator: "\n")
    }
}
