import HTTP
import HTTPServer
import Logging
import Platform

/// An S3 server in this process: buckets in memory, and trouble as the test says. It verifies no signatures; the gateway that
/// scripts/test starts does.
package final class FakeBucket: RequestHandler {
    /// What is done to one request.
    package enum Trouble: Sendable {
        /// Answered with that status and code.
        case status(Int, String)
        /// The connection is cut when so many bytes of the answer's body have gone; the request was done.
        case cut(after: Int)
        /// All of the object is sent, whatever range was asked for.
        case rangeIgnored
        /// A list that goes on, and does not say where.
        case listCut
    }

    package struct State: Sendable {
        package var objects: [String: [UInt8]] = [:]
        /// Uploads in parts, by number: the key, and its parts.
        package var uploads: [String: (key: String, parts: [Int: [UInt8]])] = [:]
        fileprivate var uploadCount = 0
        /// `GET /bucket/key?query range`, in the order in which they came.
        package var log: [String] = []
        /// For the requests whose line has that text, in order; each is used once.
        fileprivate var troubles: [(text: String, trouble: Trouble)] = []
        /// The access key that alone is taken, where not all are; others have ended.
        package var acceptedKey: String?
    }

    package let state = Monitor(State())
    /// Is told of each key before it is written.
    private let onWrite: @Sendable (String) -> Void
    private let listening = Monitor<Server?>(nil)
    private static let sharedServer = Result { try FakeBucket.start() }

    package var address: String { listening.withLock { $0?.boundAddresses[0] ?? "" } }
    package var log: [String] { state.withLock { $0.log } }
    package func object(_ key: String) -> [UInt8]? { state.withLock { $0.objects[key] } }

    package init(onWrite: @escaping @Sendable (String) -> Void = { _ in }) { self.onWrite = onWrite }

    package static func start(onWrite: @escaping @Sendable (String) -> Void = { _ in }) throws -> FakeBucket {
        let bucket = FakeBucket(onWrite: onWrite)
        var log = Logger(label: "test")
        log.logLevel = .critical
        let server = try Server(
            listen: [ListenAddress(parsing: "127.0.0.1:0")], limits: Limits(), handler: bucket, loopCount: 1, log: log)
        server.start()
        bucket.listening.update { $0 = server }
        return bucket
    }

    /// One for all tests that make no trouble.
    package static func shared() throws -> FakeBucket { try sharedServer.get() }

    /// Forgets all that is in a bucket: its test has ended.
    package func forget(bucket name: String) {
        state.update { state in for key in state.objects.keys where key.hasPrefix("\(name)/") { state.objects[key] = nil } }
    }

    /// Meets the next request that has `text` in its line with trouble.
    package func trouble(_ text: String, _ trouble: Trouble, times: Int = 1) {
        state.update { state in for _ in 0..<times { state.troubles.append((text, trouble)) } }
    }

    package func lane(for head: RequestHead) -> Lane { .transfer }

    package func respond(to request: Request) -> Response {
        let path = request.head.target.path
        let query = request.head.target.query ?? ""
        let range = request.head.header("Range")
        let line = "\(request.head.method.rawValue) \(path)" + (query.isEmpty ? "" : "?\(query)") + (range.map { " \($0)" } ?? "")
        let body = (try? request.body.readAll(byteCountMax: 64 << 20)) ?? []
        let trouble: Trouble? = state.update { state in
            state.log.append(line)
            guard let index = state.troubles.firstIndex(where: { line.contains($0.text) }) else { return nil }
            return state.troubles.remove(at: index).trouble
        }
        if case .status(let code, let word)? = trouble {
            return Response(Status(code), contentType: "application/xml", Array("<Error><Code>\(word)</Code></Error>".utf8))
        }
        if let key = state.withLock({ $0.acceptedKey }), request.head.header("Authorization")?.contains("Credential=\(key)/") != true {
            return Response(.badRequest, contentType: "application/xml", Array("<Error><Code>ExpiredToken</Code></Error>".utf8))
        }
        if case .listCut? = trouble { return xml("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>") }
        var ignoresRange = false
        if case .rangeIgnored? = trouble { ignoresRange = true }
        let response = answer(request, String(path.dropFirst()), parameters(query), ignoresRange ? nil : range, body)
        guard case .cut(let count)? = trouble else { return response }
        return cut(response, after: count)
    }

    private func cut(_ response: Response, after count: Int) -> Response {
        struct Cut: Error {}
        guard case .bytes(let bytes) = response.body else {
            return Response(response.status, headers: response.headers, body: .stream(byteCount: 10) { _ in throw Cut() })
        }
        return Response(response.status, headers: response.headers, body: .stream(byteCount: Int64(bytes.count)) { writer in
            try writer.write(Array(bytes.prefix(count)))
            writer.flush()
            throw Cut()
        })
    }

    private func parameters(_ query: String) -> [String: String] {
        var found: [String: String] = [:]
        for item in query.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            found[String(parts[0])] = parts.count > 1 ? String(parts[1].replacing("%2F", with: "/")) : ""
        }
        return found
    }

    private func answer(
        _ request: Request, _ key: String, _ query: [String: String], _ range: String?, _ body: [UInt8]
    ) -> Response {
        if request.head.method == .put || request.head.method == .post { onWrite(key) }
        return state.update { state in
            switch request.head.method {
            case .put:
                if let id = query["uploadId"], let number = query["partNumber"].flatMap({ Int($0) }) {
                    guard state.uploads[id] != nil else { return missing("NoSuchUpload") }
                    state.uploads[id]?.parts[number] = body
                } else {
                    state.objects[key] = body
                }
                return Response(.ok, headers: [("ETag", "\"\(body.count)\"")])
            case .post where query["uploads"] != nil:
                state.uploadCount += 1
                state.uploads["u\(state.uploadCount)"] = (key, [:])
                return xml("<InitiateMultipartUploadResult><UploadId>u\(state.uploadCount)</UploadId></InitiateMultipartUploadResult>")
            case .post:
                guard let upload = state.uploads.removeValue(forKey: query["uploadId"] ?? "") else { return missing("NoSuchUpload") }
                state.objects[key] = Array(upload.parts.sorted { $0.key < $1.key }.map(\.value).joined())
                return xml("<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")
            case .delete:
                if let id = query["uploadId"] { state.uploads[id] = nil } else { state.objects[key] = nil }
                return Response(.noContent)
            case .get where query["uploads"] != nil:
                let prefix = "\(key)/\(query["prefix"] ?? "")"
                let found = state.uploads.filter { $0.value.key.hasPrefix(prefix) }.map {
                    "<Upload><Key>\($0.value.key.dropFirst(key.count + 1))</Key><UploadId>\($0.key)</UploadId></Upload>"
                }
                return xml("<ListMultipartUploadsResult>\(found.joined())</ListMultipartUploadsResult>")
            case .get where query["list-type"] != nil:
                return list(key, below: query["prefix"] ?? "", from: query["continuation-token"] ?? "", state)
            default: return read(key, range, state)
            }
        }
    }

    /// Three keys at a time.
    private func list(_ bucket: String, below prefix: String, from token: String, _ state: State) -> Response {
        let keys = state.objects.keys.filter { $0.hasPrefix("\(bucket)/\(prefix)") && $0 > token }.sorted()
        let some = keys.prefix(3)
        let contents = some.map { "<Contents><Key>\($0.dropFirst(bucket.count + 1))</Key><Size>\(state.objects[$0]?.count ?? 0)</Size></Contents>" }
        let more = keys.count > 3 ? "<IsTruncated>true</IsTruncated><NextContinuationToken>\(some.last ?? "")</NextContinuationToken>" : ""
        return xml("<ListBucketResult>\(contents.joined())\(more)</ListBucketResult>")
    }

    private func read(_ key: String, _ range: String?, _ state: State) -> Response {
        guard let bytes = state.objects[key] else { return missing("NoSuchKey") }
        switch ByteRange(range, byteCount: Int64(bytes.count)) {
        case .whole: return Response(.ok, contentType: "application/octet-stream", bytes)
        case .partial(let part):
            let some = Array(bytes[Int(part.lowerBound)..<Int(part.upperBound)])
            return Response(
                .partialContent, contentType: "application/octet-stream", some,
                headers: [("Content-Range", "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(bytes.count)")])
        case .unsatisfiable: return Response(.rangeNotSatisfiable, contentType: "application/xml", Array("<Error/>".utf8))
        }
    }

    private func missing(_ code: String) -> Response {
        Response(.notFound, contentType: "application/xml", Array("<Error><Code>\(code)</Code></Error>".utf8))
    }

    private func xml(_ text: String) -> Response { Response(.ok, contentType: "application/xml", Array("<?xml version=\"1.0\"?>\(text)".utf8)) }

    /// Ends the server; the test that started it does so.
    package func stop() { listening.update { server in
        server?.drain(timeout: .zero)
        server = nil
    } }
}
