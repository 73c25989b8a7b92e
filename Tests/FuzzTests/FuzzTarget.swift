/// One reader of bytes from strangers: what must hold whatever it is fed.
///
/// Two things run it. The fuzzer (`Fuzzer/`, built by scripts/fuzz) makes up inputs and keeps those that reach new code; the
/// tests (`CorpusTests`) replay the inputs that are kept in Tests/Corpora, so what was found once stays found. Both see a
/// rule broken as an error that is thrown, and a bug below as the trap that it is.
struct FuzzTarget: Sendable {
    /// Also the name of its folder in Tests/Corpora.
    let name: String
    /// Bytes of the longest input that is tried: long enough for every rule of the format, short enough for many a second.
    let byteCountMax: Int
    /// Throws where a rule is broken.
    let check: @Sendable ([UInt8]) throws -> Void

    init(_ name: String, byteCountMax: Int = 4096, _ check: @escaping @Sendable ([UInt8]) throws -> Void) {
        self.name = name
        self.byteCountMax = byteCountMax
        self.check = check
    }

    /// A target that reads text: what is no UTF-8 says nothing to it.
    init(text name: String, byteCountMax: Int = 4096, _ check: @escaping @Sendable (String) throws -> Void) {
        self.init(name, byteCountMax: byteCountMax) { bytes in
            if let text = String(validating: bytes, as: UTF8.self) { try check(text) }
        }
    }

    /// All of them.
    static let all: [FuzzTarget] =
        http + nar + nixTexts + tokens + bodies + configurations + encodings + compressions + [daemon, chunking, bucket] + clientTexts
}

/// A rule that does not hold of some input.
struct BrokenRule: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Says that a rule is broken where `holds` is false.
func rule(_ holds: Bool, _ sentence: @autoclosure () -> String) throws(BrokenRule) {
    if !holds { throw BrokenRule(sentence()) }
}

/// Says that a rule is broken where two ways to the same end do not meet.
func same<Value: Equatable>(_ one: Value, _ other: Value, _ sentence: @autoclosure () -> String) throws(BrokenRule) {
    if one != other { throw BrokenRule("\(sentence()):\n  \(one)\n  \(other)") }
}

/// What an error says to a client or on a terminal: short (Nix shows bodies below 1 KB), and one line without control characters,
/// whatever of the input it quotes.
func readable(_ error: any Error) throws(BrokenRule) {
    let text = "\(error)"
    try rule(text.utf8.count <= 900, "an error of \(text.utf8.count) bytes: \(text.prefix(200))…")
    try rule(!text.unicodeScalars.contains { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) }, "an error with control characters: \(text)")
}

/// The ways in which bytes may arrive, each as the ends of its pieces: in one, one by one, and in pieces of sizes that follow from
/// the bytes, so that each input comes in the same ones every time.
func arrivals(of bytes: [UInt8]) -> [[Int]] {
    var state: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes.prefix(256) { state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    var ends: [Int] = []
    while (ends.last ?? 0) < bytes.count {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        // Mostly short, some long.
        let size = 1 + Int(state >> 33) % (state >> 60 == 0 ? 1000 : 24)
        ends.append(min(bytes.count, (ends.last ?? 0) + size))
    }
    return [bytes.isEmpty ? [] : [bytes.count], Array(stride(from: 1, through: bytes.count, by: 1)), ends]
}

/// The pieces themselves, each in memory of its own: whoever reads beyond one is seen by the sanitizer.
func pieces(of bytes: [UInt8], endingAt ends: [Int]) -> [[UInt8]] {
    var start = 0
    return ends.map { end in
        defer { start = end }
        return Array(bytes[start..<end])
    }
}
