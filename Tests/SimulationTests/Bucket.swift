import Crypto
import HTTP
import HTTPServer

/// What is asked of a bucket.
struct Errand: Sendable {
    let method: Method
    let key: String
    let query: [String: String]
    let range: String?
    let body: [UInt8]
}

/// A bucket in memory.
struct Bucket {
    private(set) var objects: [String: [UInt8]] = [:]
    /// Uploads in parts that are under way, by number: the key, and its parts.
    private(set) var uploads: [String: (key: String, parts: [Int: [UInt8]])] = [:]
    /// What must never be: an object was written again, and with other bytes.
    private(set) var conflict: String?
    private var uploadCount = 0
    /// What was asked by who has given up waiting, and will be done yet.
    private var late: [Errand] = []

    mutating func postpone(_ errand: Errand) { late.append(errand) }

    /// Does what was late.
    mutating func finishLate() {
        for errand in late { _ = perform(errand) }
        late = []
    }

    /// Does what is asked, as S3 does.
    mutating func perform(_ errand: Errand) -> Response {
        let (key, query) = (errand.key, errand.query)
        switch errand.method {
        case .put:
            guard let id = query["uploadId"], let number = query["partNumber"].flatMap({ Int($0) }) else {
                write(key, errand.body)
                return Response(.ok, headers: [("ETag", tag(errand.body))])
            }
            guard uploads[id]?.key == key else { return Answers.error(.notFound, "NoSuchUpload") }
            uploads[id]?.parts[number] = errand.body
            return Response(.ok, headers: [("ETag", tag(errand.body))])
        case .post where query["uploads"] != nil:
            uploadCount += 1
            uploads["u\(uploadCount)"] = (key, [:])
            return Answers.xml("<InitiateMultipartUploadResult><UploadId>u\(uploadCount)</UploadId></InitiateMultipartUploadResult>")
        case .post: return complete(query["uploadId"] ?? "", errand)
        case .delete:
            if let id = query["uploadId"] { uploads[id] = nil } else { objects[key] = nil }
            return Response(.noContent)
        case .get where query["uploads"] != nil:
            let found = uploads.filter { $0.value.key.hasPrefix(query["prefix"] ?? "") }.sorted { $0.key < $1.key }
            let items = found.map { "<Upload><Key>\($0.value.key)</Key><UploadId>\($0.key)</UploadId></Upload>" }
            return Answers.xml("<ListMultipartUploadsResult>\(items.joined())</ListMultipartUploadsResult>")
        case .get where query["list-type"] != nil: return list(after: query["continuation-token"] ?? "")
        default: return read(key, errand.range)
        }
    }

    private mutating func write(_ key: String, _ bytes: [UInt8]) {
        if let former = objects[key], former != bytes { conflict = "\(key) was written twice, with other bytes" }
        objects[key] = bytes
    }

    private func tag(_ bytes: [UInt8]) -> String { "\"\(SHA256.digest(of: bytes).hex.prefix(32))\"" }

    /// Makes an object of the parts that are named, which must be there.
    private mutating func complete(_ id: String, _ errand: Errand) -> Response {
        guard let upload = uploads[id], upload.key == errand.key else { return Answers.error(.notFound, "NoSuchUpload") }
        var bytes: [UInt8] = []
        for named in String(decoding: errand.body, as: UTF8.self).split(separator: "<PartNumber>").dropFirst() {
            guard let number = Int(named.prefix { $0.isNumber }), let part = upload.parts[number], named.contains(tag(part).dropFirst().dropLast())
            else { return Answers.error(.badRequest, "InvalidPart") }
            bytes += part
        }
        write(errand.key, bytes)
        uploads[id] = nil
        return Answers.xml("<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")
    }

    /// Five keys at a time.
    private func list(after token: String) -> Response {
        let keys = objects.keys.filter { $0 > token }.sorted()
        let some = keys.prefix(5)
        let items = some.map { "<Contents><Key>\($0)</Key><Size>\(objects[$0]?.count ?? 0)</Size></Contents>" }
        let more = keys.count > some.count
            ? "<IsTruncated>true</IsTruncated><NextContinuationToken>\(some.last ?? "")</NextContinuationToken>" : ""
        return Answers.xml("<ListBucketResult>\(items.joined())\(more)</ListBucketResult>")
    }

    private func read(_ key: String, _ range: String?) -> Response {
        guard let bytes = objects[key] else { return Answers.error(.notFound, "NoSuchKey") }
        switch ByteRange(range, byteCount: Int64(bytes.count)) {
        case .whole: return Response(.ok, contentType: "application/octet-stream", bytes)
        case .partial(let part):
            return Response(
                .partialContent, contentType: "application/octet-stream", Array(bytes[Int(part.lowerBound)..<Int(part.upperBound)]),
                headers: [("Content-Range", "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(bytes.count)")])
        case .unsatisfiable: return Answers.error(.rangeNotSatisfiable, "InvalidRange")
        }
    }
}

/// Answers as S3 gives them.
enum Answers {
    static func xml(_ text: String) -> Response {
        Response(.ok, contentType: "application/xml", Array("<?xml version=\"1.0\"?>\(text)".utf8))
    }

    static func error(_ status: Status, _ code: String) -> Response {
        Response(status, contentType: "application/xml", Array("<Error><Code>\(code)</Code></Error>".utf8))
    }
}
