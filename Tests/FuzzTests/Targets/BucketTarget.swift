import S3

extension FuzzTarget {
    /// What an S3 server says, and the file that has the keys to it.
    static let bucket = FuzzTarget("bucket", byteCountMax: 2048) { bytes in
        if let document = S3Document(bytes) { try check(document.root, depth: 0) }
        let text = String(decoding: bytes, as: UTF8.self)
        try same(S3Document(Array("<k>\(S3Document.escaped(text))</k>".utf8))?.root.text, text, "a text that is escaped and read")
        if let credentials = S3CredentialsFile.credentials(in: text, profile: "default") {
            try rule(!credentials.accessKeyID.isEmpty, "a profile without a key is none")
        }
        let encoded = S3Request.encoded(text)
        try rule(encoded.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2F }, "an encoded text is one segment: \(encoded)")
    }

    private static func check(_ element: S3Document.Element, depth: Int) throws {
        try rule(depth < 16, "elements are within so many others at most")
        for name in ["Contents", "Upload", "Error"] {
            for child in element.all(name) { try check(child, depth: depth + 1) }
        }
    }
}
