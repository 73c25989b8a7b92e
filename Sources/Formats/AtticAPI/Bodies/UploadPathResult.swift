import Encoding

/// What became of an upload.
package struct UploadPathResult: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable {
        /// The NAR was new to the server.
        case uploaded = "Uploaded"
        /// The server had the whole NAR; only the object is new.
        case deduplicated = "Deduplicated"
    }

    package let kind: Kind
    /// Bytes that the NAR takes compressed, where known.
    package let fileSize: Int64?
    /// Which part of the NAR the server had already, 0 to 1, where known.
    package let fracDeduplicated: Double?

    package init(kind: Kind, fileSize: Int64? = nil, fracDeduplicated: Double? = nil) {
        self.kind = kind
        self.fileSize = fileSize
        self.fracDeduplicated = fracDeduplicated
    }

    package init(json bytes: [UInt8]) throws(APIFormatError) { try self.init(MemberReader(bytes)) }

    init(_ members: MemberReader) throws(APIFormatError) {
        self.init(
            kind: try required("kind") { name throws(APIFormatError) in
                try members.value(name, "\"Uploaded\" or \"Deduplicated\"") { $0.stringValue.flatMap { Kind(rawValue: $0) } }
            },
            fileSize: try members.integer("file_size", in: 0...(.max)),
            fracDeduplicated: try members.value("frac_deduplicated", "a number from 0 to 1") { json in
                json.numberValue.flatMap { (0...1).contains($0) ? $0 : nil }
            })
    }

    package func json() -> [UInt8] { JSONObject(present: members).wireBytes }

    var members: [(String, JSON?)] {
        [
            ("kind", .string(kind.rawValue)), ("file_size", fileSize.map { .integer($0) }),
            ("frac_deduplicated", fracDeduplicated.map { .number($0) }),
        ]
    }
}
