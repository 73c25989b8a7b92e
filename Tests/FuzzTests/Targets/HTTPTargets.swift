import AtticServer
import HTTP

@testable import HTTPServer

extension FuzzTarget {
    /// Heads, bodies, targets and header values, and whole connections.
    static let http = [
        FuzzTarget("http-request", byteCountMax: 2048) { try checkRequest($0) },
        FuzzTarget("http-response", byteCountMax: 1024) { try checkResponse($0) },
        FuzzTarget("http-chunked") { try checkChunked($0) },
        FuzzTarget("http-connection", byteCountMax: 2048) { try checkConnection($0) },
        FuzzTarget(text: "http-target") { try checkTarget($0) },
        FuzzTarget(text: "http-values", byteCountMax: 1024) { try checkValues($0) },
    ]
}

/// The bytes up to `end`, in memory that ends there so that the sanitizer sees who reads beyond; where there are very many ends, in
/// the whole's, which costs no copy.
private func shown(_ bytes: [UInt8], _ end: Int, of ends: [Int]) -> [UInt8] { ends.count > 300 ? bytes : Array(bytes[..<end]) }

/// What became of bytes that a parser of heads was shown.
private enum Seen<Head: Equatable>: Equatable {
    case incomplete, refused
    case head(Head, byteCount: Int)
}

/// What a request's head says, as far as anyone asks.
private struct RequestFacts: Equatable {
    let method: String
    let version: HTTPVersion
    let framing: BodyFraming
    let flags: [Bool]
    let target: String
    let segments: [String]
    let authority: String?
    let headers: [[String]]

    init(_ head: RequestHead) {
        method = head.methodName
        version = head.version
        framing = head.bodyFraming
        flags = [head.keepsAlive, head.expectsContinue, head.wantsWhole]
        target = head.target.description
        segments = head.target.segments
        authority = head.authority
        headers = head.headers.map { [$0.name, $0.value] }
    }
}

private func checkRequest(_ bytes: [UInt8]) throws {
    var whole: (head: RequestHead, byteCount: Int)?
    var first: Seen<RequestFacts>?
    // Used again from one way to the next, as a connection does.
    var space = HeadSpace()
    for ends in arrivals(of: bytes) {
        var parser = RequestParser(limits: .standard)
        var seen = Seen<RequestFacts>.incomplete
        for end in ends where seen == .incomplete {
            do throws(ParseError) {
                let outcome = try unsafe shown(bytes, end, of: ends).span.extracting(..<end).withUnsafeBytes { bytes throws(ParseError) in
                    try unsafe parser.parse(bytes, space: &space)
                }
                if case .head(let head, let byteCount) = outcome {
                    seen = .head(RequestFacts(head), byteCount: byteCount)
                    if whole == nil { whole = (head, byteCount) }
                }
            } catch {
                try readable(error)
                seen = .refused
            }
        }
        try same(first ?? seen, seen, "a head is read alike however it comes")
        first = seen
    }
    guard let whole else { return }
    try rule(whole.byteCount <= bytes.count, "a head takes no more than there is")
    try checkSegments(whole.head.target.segments)
    try checkRewritten(whole.head)
    do throws(Problem) { _ = try Route(whole.head.method, whole.head.target.segments) } catch { try readable(Said(error.message)) }
}

/// A head written anew, as a proxy might pass it on, means the same.
private func checkRewritten(_ head: RequestHead) throws {
    guard head.version == .http11, head.method != .other, head.target.path != "*" else { return }
    var writer = HeadWriter(head.method, target: head.target.description)
    for (name, value) in head.headers {
        // Written as text, and what was no text would come out as another value.
        if value.utf8.contains(where: { $0 >= 0x80 }) { return }
        writer.add(name, value)
    }
    let again: RequestHead
    let text = String(decoding: writer.finish(), as: UTF8.self)
    do throws(ParseError) { again = try RequestHead(parsing: text) } catch {
        throw BrokenRule("a head that was accepted is refused when it is written anew: \(error)\n\(text)")
    }
    let (one, other) = (RequestFacts(head), RequestFacts(again))
    try same(one.framing, other.framing, "framing")
    try same(one.flags, other.flags, "connection")
    try same(one.target, other.target, "target")
    try same(one.segments, other.segments, "segments")
    try same(one.headers, other.headers, "headers")
}

/// Segments are safe to name files by: decoded, none climbs and none holds a separator.
private func checkSegments(_ segments: [String]) throws(BrokenRule) {
    for segment in segments {
        try rule(segment != "." && segment != "..", "a segment climbs: \(segments)")
        try rule(!segment.utf8.contains { $0 < 0x20 || $0 == 0x2F || $0 == 0x7F }, "a segment holds a slash or control character: \(segments)")
    }
}

private func checkResponse(_ bytes: [UInt8]) throws {
    var first: Seen<[String]>?
    for ends in arrivals(of: bytes) {
        var parser = ResponseParser(limits: .standard)
        var seen = Seen<[String]>.incomplete
        for end in ends where seen == .incomplete {
            do {
                let outcome = try unsafe shown(bytes, end, of: ends).span.extracting(..<end).withUnsafeBytes { bytes throws(ParseError) in try unsafe parser.parse(bytes) }
                if case .head(let head, let byteCount) = outcome {
                    let framings = [Method.get, .head].map { "\(head.bodyFraming(answering: $0))" }
                    let facts = ["\(head.status)", head.reason, "\(head.version)", "\(head.keepsAlive)", "\(head.contentLength ?? -1)"]
                    seen = .head(facts + framings + head.headers.flatMap { [$0.name, $0.value] }, byteCount: byteCount)
                    try rule(head.status.neverHasBody ? framings == ["none", "none"] : framings[1] == "none", "no body where there is none")
                }
            } catch {
                guard let error = error as? ParseError else { throw error }
                try readable(error)
                seen = .refused
            }
        }
        try same(first ?? seen, seen, "a head is read alike however it comes")
        first = seen
    }
}

private func checkChunked(_ bytes: [UInt8]) throws {
    let reference = ReferenceChunks(bytes)
    for ends in arrivals(of: bytes) {
        var decoder = ChunkedDecoder()
        var body: [UInt8] = []
        var taken: Int?
        var isRefused = false
        var start = 0
        for piece in pieces(of: bytes, endingAt: ends) where taken == nil && !isRefused {
            var position = 0
            var isMore = true
            while isMore {
                do throws(ChunkedError) {
                    let event = try unsafe piece.span.withUnsafeBytes { bytes throws(ChunkedError) in
                        try unsafe decoder.next(bytes, at: &position)
                    }
                    switch event {
                    case .data(let range): body += piece[range]
                    case .needsMore: isMore = false
                    case .end:
                        taken = start + position
                        isMore = false
                    }
                } catch {
                    try readable(error)
                    (isRefused, isMore) = (true, false)
                }
            }
            start += piece.count
        }
        switch reference.outcome {
        case .whole(let byteCount): try same(taken, byteCount, "where a chunked body ends (refused: \(isRefused))")
        case .refused: try rule(isRefused, "what is no chunked body is refused")
        case .partial: try rule(taken == nil, "a body does not end before its end")
        }
        if !isRefused { try same(body, reference.body, "what a chunked body stands for") }
        if taken != nil {
            try rule(decoder.hasEnded, "a decoder knows that it has ended")
            let again = ReferenceChunks(ChunkedEncoder.encode(body) + ChunkedEncoder.end)
            try same(again.body, body, "what is encoded decodes to the same")
        }
    }
}

/// The chunked coding as its grammar has it (RFC 9112, section 7.1), of bytes that are all there: a second opinion, slow and plain.
private struct ReferenceChunks {
    enum Outcome { case whole(byteCount: Int), refused, partial }
    private(set) var body: [UInt8] = []
    private(set) var outcome = Outcome.partial

    init(_ bytes: [UInt8]) { outcome = read(bytes) }

    private mutating func read(_ bytes: [UInt8]) -> Outcome {
        var rest = bytes[...]
        var (extensionBytes, trailerBytes) = (0, 0)
        while true {
            guard let line = Self.line(&rest) else { return .partial }
            let digits = line.prefix { $0.isHexDigit }
            let extensions = line.dropFirst(digits.count)
            extensionBytes += extensions.count
            let name = extensions.drop { $0 == 0x20 || $0 == 0x09 }
            guard !digits.isEmpty, digits.count <= 16, name.first == 0x3B || extensions.isEmpty, extensionBytes <= 4096, Self.isPlain(extensions),
                let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
            else { return .refused }
            if size == 0 { break }
            body += rest.prefix(size)
            if rest.count < size { return .partial }
            rest = rest.dropFirst(size)
            // CR LF, as far as it is there.
            guard rest.prefix(2).elementsEqual([0x0D, 0x0A].prefix(rest.count)) else { return .refused }
            if rest.count < 2 { return .partial }
            rest = rest.dropFirst(2)
        }
        while let trailer = Self.line(&rest) {
            if trailer.isEmpty { return .whole(byteCount: bytes.count - rest.count) }
            trailerBytes += trailer.count + 2
            guard Self.isField(trailer), Self.isPlain(trailer), trailerBytes <= 8192 else { return .refused }
        }
        return .partial
    }

    /// A line without its end; nil where it has not ended. One that ends otherwise than by CR LF is given with what is wrong in it.
    private static func line(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let feed = rest.firstIndex(of: 0x0A) else { return nil }
        let line = rest[..<feed]
        rest = rest[(feed + 1)...]
        return line.last == 0x0D ? line.dropLast() : line + [0x0A]
    }

    /// A name of the letters that RFC 9110 gives to tokens (section 5.6.2), and a colon right behind it.
    private static func isField(_ line: ArraySlice<UInt8>) -> Bool {
        let name = line.prefix { $0 != 0x3A }
        return name.count < line.count && !name.isEmpty && name.allSatisfy {
            ("0"..."9").contains(UnicodeScalar($0)) || ("A"..."Z").contains(UnicodeScalar($0)) || ("a"..."z").contains(UnicodeScalar($0))
                || "!#$%&'*+-.^_`|~".utf8.contains($0)
        }
    }

    private static func isPlain(_ bytes: ArraySlice<UInt8>) -> Bool { bytes.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 } }
}

extension UInt8 {
    fileprivate var isHexDigit: Bool { (0x30...0x39).contains(self) || (0x41...0x46).contains(self) || (0x61...0x66).contains(self) }
}

/// A whole connection: requests one after another, each answered when its body is over.
private func checkConnection(_ bytes: [UInt8]) throws {
    var first: [String]?
    for ends in arrivals(of: bytes) {
        var conversation = Conversation()
        for piece in pieces(of: bytes, endingAt: ends) { try conversation.receive(piece) }
        let said = conversation.said + ["left \(conversation.body)"]
        try same(first ?? said, said, "a connection is read alike however it comes")
        first = said
    }
}

private struct Conversation {
    private var machine = ConnectionMachine(limits: Limits())
    private var space = HeadSpace()
    private var kept: [UInt8] = []
    /// Of the body that is under way; how it was cut is not what it says.
    private(set) var body: [UInt8] = []
    private(set) var said: [String] = []
    private var isOver = false

    mutating func receive(_ bytes: [UInt8]) throws(BrokenRule) {
        kept += bytes
        while !isOver {
            let shown = kept
            let step = unsafe shown.span.withUnsafeBytes { unsafe machine.received($0, bodyRoom: 100, space: &space) }
            try rule((0...shown.count).contains(step.consumed), "a step takes what there is")
            kept.removeFirst(step.consumed)
            switch step.action {
            case .wait:
                if step.consumed == 0 { return }
            case .begin(let head):
                said.append("begin \(head.methodName) \(head.target) \(head.bodyFraming)")
                if !head.bodyFraming.hasBytes { reply() }
            case .body(let range):
                try rule(range.count <= 100 && range.upperBound <= shown.count, "no more of a body than there is room for")
                body += shown[range]
            case .endOfBody:
                said.append("body of \(body)")
                reply()
            case .failBody:
                said.append("fail after \(body)")
                reply()
            case .refuse(let refusal):
                try rule(!refusal.status.isSuccess, "a refusal is no success")
                said.append("refuse \(refusal.status.code)")
                isOver = true
            case .close: isOver = true
            }
        }
    }

    private mutating func reply() {
        body = []
        said.append(machine.replied() ? "keep" : "last")
        if machine.replySent() != .next { isOver = true }
    }
}

/// The error as it is told to a client.
private struct Said: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// `METHOD target`, or a target alone.
private func checkTarget(_ text: String) throws {
    let words = text.split(separator: " ", maxSplits: 1)
    let method = words.count == 2 ? Method(rawValue: String(words[0])) ?? .other : .get
    let target: Target
    do throws(ParseError) { target = try Target(String(words.last ?? "")) } catch { return try readable(error) }
    try checkSegments(target.segments)
    do {
        let again = try Target(target.description)
        try same([target.path] + target.segments, [again.path] + again.segments, "a target that is written and read")
        try same(target.query, again.query, "its query")
    } catch {
        throw BrokenRule("a target that was accepted is refused when it is written anew: \(error)")
    }
    do {
        switch try Route(method, target.segments) {
        case .nar(let cache, let name), .putNar(let cache, let name):
            guard case .nar(let same, let again) = try Route(.get, [cache.rawValue, "nar", "\(name)"]), same == cache, again == name else {
                throw BrokenRule("the name of a NAR is not the one that it is written as: \(name)")
            }
        default: break
        }
    } catch { 
        if let error = error as? Problem { try readable(Said(error.message)) } else { throw error }
    }
}

/// Values of headers that ask for a part, for something newer, or for a coding.
private func checkValues(_ text: String) throws {
    for byteCount: Int64 in [0, 1, 500, .max] {
        let range = ByteRange(text, byteCount: byteCount)
        if case .partial(let part) = range {
            try rule(!part.isEmpty && part.lowerBound >= 0 && part.upperBound <= byteCount, "a range lies within what there is: \(part)")
        }
        _ = range.contentRange(byteCount: byteCount)
    }
    let current = EntityTag("abc")
    if case .tags(let tags)? = ETagList(text) {
        let written = tags.map(\.description).joined(separator: ", ")
        try same(ETagList(written), .tags(tags), "a list of entity tags that is written and read")
        if tags.count == 1 { try same(EntityTag.ifRange(text, matches: tags[0]), !tags[0].isWeak, "only a strong tag matches itself") }
    } else {
        try rule(!EntityTag.ifRange(text, matches: current), "what is no tag matches none")
    }
    _ = ContentCoding.negotiate(text)
    _ = try? ListenAddress(parsing: text)
}
