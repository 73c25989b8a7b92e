import HTTP
import HTTPClient
import Platform
import S3

/// What is done with objects; each of these is one request, or a few.
extension S3Client {
    /// The object's size; nil where it is not there.
    func byteCount(of key: String) throws(StorageError) -> Int64? {
        let response = try ask(Question(method: .head, key: key, operation: "look at", answers: [404]))
        // An answer to HEAD says nothing of who gave it; one to GET does.
        if response.status == .notFound { return try byteCountByRange(of: key) }
        guard let byteCount = response.header("Content-Length").flatMap({ Int64($0) }) else {
            throw StorageError("look at", bucket.location(of: key), .refused("it told no size of the object"))
        }
        return byteCount
    }

    /// The object's size, as an answer to a range tells it; nil where it is not there.
    private func byteCountByRange(of key: String) throws(StorageError) -> Int64? {
        let question = Question(method: .get, key: key, headers: ["range": "bytes=0-0"], operation: "look at", answers: [404, 416])
        let response = try ask(question)
        switch response.status.code {
        case 404: return nil
        case 416: return 0
        default:
            guard let range = response.header("Content-Range"), let byteCount = Int64(range.drop { $0 != "/" }.dropFirst()) else {
                throw error(question, .refused("it told no size of the object"))
            }
            return byteCount
        }
    }

    /// A small object, whole; nil where it is not there.
    func get(_ key: String) throws(StorageError) -> [UInt8]? {
        let response = try ask(Question(method: .get, key: key, operation: "read", answers: [404]))
        return response.status == .notFound ? nil : response.body
    }

    /// Writes an object whole. The server compares it with its hash, which is signed.
    ///
    /// - Returns: whether it may be written once more, later, since an earlier try had no answer.
    @discardableResult
    func put(_ key: String, _ bytes: [UInt8]) throws(StorageError) -> Bool {
        try reach(.write, "write", key)
        return try askCounting(Question(method: .put, key: key, body: bytes, operation: "write")).triesInDoubt > 0
    }

    /// Deletes an object; one that is not there counts as deleted.
    func delete(_ key: String) throws(StorageError) {
        try reach(.remove, "delete", key)
        _ = try ask(Question(method: .delete, key: key, operation: "delete", answers: [404]))
    }

    // MARK: Uploads in parts

    /// Begins an upload in parts; its number.
    func beginUpload(_ key: String) throws(StorageError) -> String {
        let question = Question(method: .post, key: key, query: [.init("uploads")], operation: "begin to write")
        let response = try ask(question)
        guard let id = S3Document(response.body)?.root.text(of: "UploadId"), !id.isEmpty else {
            throw error(question, .refused("it named no upload"))
        }
        return id
    }

    /// Sends a part; its tag, which the end must name.
    ///
    /// - Parameter number: from 1 on.
    func putPart(_ key: String, upload id: String, number: Int, _ bytes: [UInt8]) throws(StorageError) -> String {
        try reach(.write, "write", key)
        let question = Question(
            method: .put, key: key, query: [.init("partNumber", String(number)), .init("uploadId", id)], body: bytes,
            operation: "write a part of")
        guard let tag = try ask(question).header("ETag") else { throw error(question, .refused("it gave the part no tag")) }
        return tag
    }

    /// Makes an object of its parts, in order.
    ///
    /// - Parameter byteCount: of all of them: where the answer was lost, it tells whether it is done.
    func endUpload(_ key: String, upload id: String, tags: [String], byteCount: Int64) throws(StorageError) {
        try reach(.sync, "complete", key)
        let parts = tags.enumerated().map {
            "<Part><PartNumber>\($0.offset + 1)</PartNumber><ETag>\(S3Document.escaped($0.element))</ETag></Part>"
        }
        let body = Array("<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>".utf8)
        let question = Question(
            method: .post, key: key, query: [.init("uploadId", id)], body: body, operation: "complete", answers: [404])
        for tries in 1...limits.triesMax {
            let response = try ask(question)
            let root = S3Document(response.body)?.root
            // The status comes before the work: an error may follow 200.
            if response.status.isSuccess, let root, root.name != "Error" { return }
            if response.status == .notFound {
                // An earlier try did it, and its answer was lost; or somebody ended the upload.
                if try self.byteCount(of: key) == byteCount { return }
                throw error(question, .refused(S3Client.words(of: response).text))
            }
            if tries < limits.triesMax { pace.rest(after: tries) }
        }
        throw error(question, .unreachable("it does not put the parts together"))
    }

    /// Ends all uploads of the key that are under way; their parts go.
    func abortUploads(_ key: String) throws(StorageError) {
        let question = Question(method: .get, key: "", query: [.init("prefix", key), .init("uploads")], operation: "list the uploads of")
        let response = try ask(question)
        guard let root = S3Document(response.body)?.root else { throw error(question, .refused("it gave no list")) }
        for upload in root.all("Upload") where upload.text(of: "Key") == key {
            guard let id = upload.text(of: "UploadId") else { continue }
            try abortUpload(key, id)
        }
    }

    func abortUpload(_ key: String, _ id: String) throws(StorageError) {
        try reach(.remove, "end the upload of", key)
        _ = try ask(Question(
            method: .delete, key: key, query: [.init("uploadId", id)], operation: "end the upload of", answers: [404]))
    }

    // MARK: Lists

    /// Hands out every key and its size, in the order of keys.
    func list(_ take: (String, Int64) throws(StorageError) -> Void) throws(StorageError) {
        var token: String?
        repeat {
            var query: [S3Request.QueryItem] = [.init("list-type", "2"), .init("max-keys", "1000")]
            if let token { query.append(.init("continuation-token", token)) }
            let question = Question(method: .get, key: "", query: query, operation: "list")
            guard let root = S3Document(try ask(question).body)?.root else { throw error(question, .refused("it gave no list")) }
            for object in root.all("Contents") {
                guard let key = object.text(of: "Key"), let size = object.text(of: "Size").flatMap({ Int64($0) }) else { continue }
                try take(key, size)
            }
            token = root.text(of: "IsTruncated") == "true" ? root.text(of: "NextContinuationToken") ?? "" : nil
            // Taken for the end, what is not listed would seem to be lost.
            if token == "" { throw error(question, .refused("it says that its list goes on, and not where")) }
        } while token != nil
    }

    /// Whether any key begins so.
    func hasAny(below prefix: String) throws(StorageError) -> Bool {
        let query: [S3Request.QueryItem] = [.init("list-type", "2"), .init("max-keys", "1"), .init("prefix", prefix)]
        let question = Question(method: .get, key: "", query: query, operation: "list")
        guard let root = S3Document(try ask(question).body)?.root else { throw error(question, .refused("it gave no list")) }
        return !root.all("Contents").isEmpty
    }

    /// Where tests make something go wrong, as at the system call of a directory that does the same.
    func reach(_ site: FaultSite, _ operation: String, _ key: String) throws(StorageError) {
        do throws(Errno) { try Faults.check(site) } catch {
            throw StorageError(SystemError(operation, bucket.location(of: key), error))
        }
    }
}
