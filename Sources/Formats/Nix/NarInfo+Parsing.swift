import Crypto
import Encoding

extension NarInfo {
    /// Reads a narinfo as Nix does (nix/src/libstore/nar-info.cc, `NarInfo::NarInfo`): lines in any order, unknown
    /// fields passed over, References and CA at most once, StorePath, URL, NarHash and NarSize needed, a missing
    /// Compression taken as bzip2, `Deriver: unknown-deriver` as none.
    ///
    /// A field given twice keeps its last value, as in Nix. The store's directory is what StorePath has before its
    /// base name.
    ///
    /// - Throws: with the line and field at fault.
    package static func parse(_ bytes: [UInt8]) throws(NixFormatError) -> NarInfo {
        var fields = Fields()
        for line in try ManifestText.lines(of: bytes, kind: "narinfo", isStrict: true) { try fields.take(line) }
        return try fields.finish()
    }

    /// The fields as they come in.
    private struct Fields {
        var place: (directory: String, path: StorePath)?
        var url = ""
        var compression = ""
        var fileHash: SHA256Digest?
        var fileSize: Int64?
        var narHash: SHA256Digest?
        var narSize: Int64 = 0
        var references: [String]?
        var deriver: String?
        var signatures: [String] = []
        var ca: String?

        mutating func take(_ line: ManifestText.Line) throws(NixFormatError) {
            switch line.name {
            case "StorePath": place = try Self.place(line)
            case "URL": url = line.value
            case "Compression": compression = line.value
            case "FileHash": fileHash = try Self.hash(line)
            case "FileSize": fileSize = try Self.size(line)
            case "NarHash": narHash = try Self.hash(line)
            case "NarSize": narSize = try Self.size(line)
            case "References":
                if references?.isEmpty == false { throw Self.fail(line, "References come twice") }
                var names: [String] = []
                for name in line.value.utf8.split(separator: UInt8(ascii: " ")) { names.append(String(name) ?? "") }
                references = names
            case "Deriver": deriver = line.value == "unknown-deriver" || line.value.isEmpty ? nil : line.value
            case "Sig": signatures.append(line.value)
            case "CA":
                if ca != nil { throw Self.fail(line, "CA comes twice") }
                ca = line.value.isEmpty ? nil : line.value
            default: return
            }
        }

        func finish() throws(NixFormatError) -> NarInfo {
            guard let place else { throw NixFormatError("narinfo", "StorePath is missing") }
            guard let narHash else { throw NixFormatError("narinfo", "NarHash is missing") }
            if url.isEmpty { throw NixFormatError("narinfo", "URL is missing") }
            if narSize == 0 { throw NixFormatError("narinfo", "NarSize is missing or zero") }
            return try NarInfo(
                storeDirectory: place.directory, storePath: place.path, url: url,
                compression: compression.isEmpty ? "bzip2" : compression, fileHash: fileHash, fileSize: fileSize,
                narHash: narHash, narSize: narSize, references: references ?? [], deriver: deriver,
                signatures: signatures, ca: ca)
        }

        private static func place(_ line: ManifestText.Line) throws(NixFormatError) -> (directory: String, path: StorePath) {
            guard let slash = line.value.utf8.lastIndex(of: UInt8(ascii: "/")), line.value.utf8.first == UInt8(ascii: "/") else {
                throw fail(line, "StorePath \(quoted(line.value)) is not absolute")
            }
            let name = String(line.value[line.value.utf8.index(after: slash)...])
            return (String(line.value[..<slash]), try StorePath(baseName: name))
        }

        private static func hash(_ line: ManifestText.Line) throws(NixFormatError) -> SHA256Digest {
            do { return try NixHash(parsing: line.value).digest } catch { throw fail(line, "\(line.name): \(error.reason)") }
        }

        /// Digits only: Swift's own reading would also take a sign.
        private static func size(_ line: ManifestText.Line) throws(NixFormatError) -> Int64 {
            let isDigits = line.value.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
            guard isDigits, let size = Int64(line.value) else {
                throw fail(line, "\(line.name) \(quoted(line.value)) is not a number of bytes")
            }
            return size
        }

        private static func fail(_ line: ManifestText.Line, _ reason: String) -> NixFormatError {
            NixFormatError("narinfo", "line \(line.number): \(reason)")
        }
    }
}
