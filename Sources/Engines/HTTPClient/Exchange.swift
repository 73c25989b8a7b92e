import HTTP

/// One request and its answer over one connection.
///
/// Thread: the one that sends the request.
struct Exchange {
    private let request: ClientRequest
    private let url: HTTPURL
    private let timeouts: ClientTimeouts
    private let reader: AnswerReader
    private let writer: RequestWriter

    /// - Parameters:
    ///   - url: where the request goes, with the path that is asked for.
    ///   - forwarder: the proxy that the connection leads to, where it has to be told the whole URL.
    init(
        _ request: ClientRequest, to url: HTTPURL, by forwarder: Proxy?, transport: any Transport, timeouts: ClientTimeouts
    ) {
        self.request = request
        self.url = url
        self.timeouts = timeouts
        let host = url.authority
        reader = AnswerReader(transport: transport, host: host, silence: timeouts.silence, answerTime: timeouts.answer)
        let byteCount = Self.byteCount(of: request.body)
        writer = RequestWriter(
            transport: transport, reader: reader, host: host, silence: timeouts.silence,
            head: Self.head(request, url, forwarder, byteCount: byteCount), byteCount: byteCount)
    }

    /// Whether anything of an answer has come.
    var hasAnswerBytes: Bool { reader.hasBytes }

    /// Sends the request and reads the answer to its end.
    ///
    /// - Parameter receive: takes the body of a successful answer; nil keeps it in memory.
    /// - Returns: the answer, and whether the connection can carry another request.
    func run(
        receiving receive: ((UnsafeRawBufferPointer) throws -> Void)?
    ) throws(ClientError) -> (response: ClientResponse, isReusable: Bool) {
        let sentWholeBody = try sendRequest()
        let head = try reader.waitForHead()
        let framing = head.bodyFraming(answering: request.method)
        let body = try unsafe readBody(head, framing, receive)
        let isReusable = sentWholeBody && head.keepsAlive && framing != .untilClose && reader.isEmpty
        return (ClientResponse(head: head, body: body, sentWholeBody: sentWholeBody), isReusable)
    }

    /// - Returns: false where the answer came first.
    private func sendRequest() throws(ClientError) -> Bool {
        do throws(RequestWriter.Stop) {
            if expectsContinue { try writer.waitForLeave(timeouts.continue) }
            switch request.body {
            case .none: break
            case .bytes(let bytes): try writer.append(bytes)
            case .stream(_, _, let write):
                if let cause = Self.cause({ try write(writer) }) {
                    // The writer's own error comes back through the maker of the body; or it was swallowed there.
                    throw writer.stop ?? .failed(.bodyFailed(cause))
                }
            }
            try writer.finish()
            return true
        } catch {
            switch error {
            case .answered: return false
            case .failed(let cause): throw cause
            }
        }
    }

    private func readBody(
        _ head: ResponseHead, _ framing: ResponseFraming, _ receive: ((UnsafeRawBufferPointer) throws -> Void)?
    ) throws(ClientError) -> [UInt8] {
        if let receive = unsafe receive, head.status.isSuccess, request.isReceived?(head) ?? true {
            reader.takeTime()
            try unsafe reader.readBody(framing) { bytes throws(ClientError) in
                if let cause = Self.cause({ try unsafe receive(bytes) }) { throw .receiverFailed(cause) }
            }
            return []
        }
        let max = request.answerBytesMax
        var body: [UInt8] = []
        if case .contentLength(let byteCount) = framing {
            if byteCount > max { throw .tooLarge(host: url.authority, byteCountMax: max) }
            body.reserveCapacity(Int(byteCount))
        }
        try unsafe reader.readBody(framing) { bytes throws(ClientError) in
            if bytes.count > max - body.count { throw .tooLarge(host: url.authority, byteCountMax: max) }
            unsafe body.append(contentsOf: bytes)
        }
        return body
    }

    private var expectsContinue: Bool { request.expectContinue && Self.byteCount(of: request.body) != 0 }

    /// What the body will have; nil where it is not known.
    private static func byteCount(of body: ClientBody) -> Int64? {
        switch body {
        case .none: 0
        case .bytes(let bytes): Int64(bytes.count)
        case .stream(let byteCount, _, _): byteCount
        }
    }

    private static func head(_ request: ClientRequest, _ url: HTTPURL, _ forwarder: Proxy?, byteCount: Int64?) -> [UInt8] {
        // RFC 9112, section 3.2.2: a proxy is told the whole URL.
        var head = HeadWriter(request.method, target: forwarder == nil ? url.target : url.serverText + url.target)
        head.add("Host", url.authority)
        if let authorization = forwarder?.authorization { head.add("Proxy-Authorization", authorization) }
        for (name, value) in request.headers { head.add(name, value) }
        switch (request.body, byteCount) {
        case (_, nil): head.add("Transfer-Encoding", "chunked")
        case (.none, _):
            // RFC 9110, section 8.6: a method that usually has a body says so when it has none.
            if [.put, .post, .patch].contains(request.method) { head.add("Content-Length", 0) }
        case (_, let byteCount?): head.add("Content-Length", byteCount)
        }
        if request.expectContinue && byteCount != 0 { head.add("Expect", "100-continue") }
        return head.finish()
    }

    /// The error that `body` ends with, so that foreign errors do not mix with our own.
    private static func cause(_ body: () throws -> Void) -> (any Error)? {
        do { try body() } catch { return error }
        return nil
    }
}
