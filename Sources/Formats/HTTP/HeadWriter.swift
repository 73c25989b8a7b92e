/// Writes the head of an answer or of a request, line by line, into bytes.
///
///     var writer = HeadWriter(.ok)
///     writer.add("Content-Length", 21)
///     let bytes = writer.finish()
///
/// A value can hold no line end: control characters in it become spaces (RFC 9110, section 5.5), because values come
/// from clients and databases, and a line end in one would let its author write headers of their own. Names come from
/// the program; one that is no token is a bug and traps.
package struct HeadWriter: Sendable {
    private var bytes: [UInt8] = []

    /// Begins an answer: `HTTP/1.1 404 Not Found`.
    package init(_ status: Status) {
        bytes.reserveCapacity(512)
        append("HTTP/1.1 ")
        appendDecimal(Int64(status.code))
        bytes.append(Byte.space)
        appendText(status.reason)
        appendLineEnd()
    }

    /// Begins a request: `GET /a/b?c HTTP/1.1`.
    ///
    /// - Parameter target: origin form, encoded already. Spaces and control characters in it trap.
    package init(_ method: Method, target: String) {
        precondition(method != .other, "a request needs a method that has a name")
        self.init(methodName: method.rawValue, target: target)
    }

    /// Begins a request that asks a proxy for a way through to `host:port` (RFC 9110, section 9.3.6).
    package init(connectTo place: String) { self.init(methodName: "CONNECT", target: place) }

    private init(methodName: String, target: String) {
        bytes.reserveCapacity(512)
        appendText(methodName)
        bytes.append(Byte.space)
        let start = bytes.count
        appendText(target)
        for index in start..<bytes.count {
            precondition(bytes[index] > Byte.space && bytes[index] < Byte.delete, "a target is visible ASCII")
        }
        append(" HTTP/1.1")
        appendLineEnd()
    }

    /// Adds a line with a text.
    package mutating func add(_ name: String, _ value: String) {
        appendName(name)
        let start = bytes.count
        appendText(value)
        replaceControls(from: start)
        appendLineEnd()
    }

    /// Adds a line with a number.
    package mutating func add(_ name: String, _ value: Int64) {
        appendName(name)
        appendDecimal(value)
        appendLineEnd()
    }

    /// Adds whole lines that were rendered before, each with its line end; taken as they are.
    package mutating func add(rendered lines: [UInt8]) { bytes.append(contentsOf: lines) }

    /// The head with the empty line that ends it.
    package consuming func finish() -> [UInt8] {
        appendLineEnd()
        return bytes
    }

    /// The lines so far, without the empty line that ends a head.
    package consuming func takeLines() -> [UInt8] { bytes }

    private mutating func appendName(_ name: String) {
        let start = bytes.count
        appendText(name)
        precondition(start < bytes.count, "a header has a name")
        for index in start..<bytes.count { precondition(isToken(bytes[index]), "a header's name is a token") }
        append(": ")
    }

    private mutating func replaceControls(from start: Int) {
        for index in start..<bytes.count where bytes[index] < Byte.space || bytes[index] == Byte.delete {
            if bytes[index] != Byte.tab { bytes[index] = Byte.space }
        }
    }

    private mutating func append(_ text: StaticString) {
        unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func appendText(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func appendDecimal(_ value: Int64) { bytes.append(contentsOf: String(value).utf8) }

    private mutating func appendLineEnd() {
        bytes.append(Byte.carriageReturn)
        bytes.append(Byte.lineFeed)
    }
}
