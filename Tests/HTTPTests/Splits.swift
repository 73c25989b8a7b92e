import HTTP

/// How a parser can be shown bytes: whole, byte by byte, or in two pieces cut at every position.
func arrivals(of byteCount: Int) -> [[Int]] {
    [[byteCount], Array(stride(from: 1, through: byteCount, by: 1))] + (1..<max(2, byteCount)).map { [$0, byteCount] }
}

/// What a request parser says of bytes that arrive in those steps; nil where it still wants more at the end.
func parseRequest(
    _ bytes: [UInt8], arriving steps: [Int], limits: HeadLimits = .standard
) throws(ParseError) -> (head: RequestHead, byteCount: Int)? {
    var parser = RequestParser(limits: limits)
    for count in steps {
        let outcome = try unsafe bytes.span.extracting(0..<count).withUnsafeBytes { seen throws(ParseError) in
            try unsafe parser.parse(seen)
        }
        if case .head(let head, let byteCount) = outcome { return (head, byteCount) }
    }
    return nil
}

/// The same for answers.
func parseResponse(
    _ bytes: [UInt8], arriving steps: [Int], limits: HeadLimits = .standard
) throws(ParseError) -> (head: ResponseHead, byteCount: Int)? {
    var parser = ResponseParser(limits: limits)
    for count in steps {
        let outcome = try unsafe bytes.span.extracting(0..<count).withUnsafeBytes { seen throws(ParseError) in
            try unsafe parser.parse(seen)
        }
        if case .head(let head, let byteCount) = outcome { return (head, byteCount) }
    }
    return nil
}

/// What a chunked body decodes to when it arrives in those steps, and how many bytes it took; nil where it wants more.
func decodeChunked(
    _ bytes: [UInt8], arriving steps: [Int], decoder: ChunkedDecoder = ChunkedDecoder()
) throws(ChunkedError) -> (body: [UInt8], byteCount: Int)? {
    var decoder = decoder
    var body: [UInt8] = []
    var position = 0
    for count in steps {
        while true {
            let event = try unsafe bytes.span.extracting(0..<count).withUnsafeBytes { seen throws(ChunkedError) in
                try unsafe decoder.next(seen, at: &position)
            }
            switch event {
            case .data(let range): body += bytes[range]
            case .end: return (body, position)
            case .needsMore: break
            }
            if event == .needsMore { break }
        }
    }
    return nil
}
