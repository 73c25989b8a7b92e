import Compression
import Testing

@Suite struct Bzip2Tests {
    /// "hello\n" and nothing, as bzip2 1.0.8 writes them.
    private static let hello = hex("425a6839314159265359c1c080e2000001410000100244a00030cd00c3462997177245385090c1c080e2")
    private static let empty = hex("425a683917724538509000000000")
    private static let text = Array("hello\n".utf8)

    private func run(_ pieces: [[UInt8]], outputByteCountMax: Int = 1000, roomByteCount: Int = 100) throws -> [UInt8] {
        let decoder = StreamDecoder.bzip2(outputByteCountMax: outputByteCountMax)
        var room = [UInt8](repeating: 0, count: roomByteCount)
        var output: [UInt8] = []
        for piece in pieces {
            var rest = piece[...]
            while true {
                let progress = try unsafe rest.withUnsafeBytes { input in
                    try unsafe room.withUnsafeMutableBytes { try unsafe decoder.update(input, into: $0) }
                }
                output += room[..<progress.outputByteCount]
                rest = rest.dropFirst(progress.inputByteCount)
                if rest.isEmpty, progress.outputByteCount < room.count { break }
            }
        }
        try decoder.finish()
        return output
    }

    @Test("One stream or several come out, whole, byte by byte and split everywhere", arguments: [1, 5, 6, 7, 100])
    func streams(roomByteCount: Int) throws {
        let joined = Self.hello + Self.empty + Self.hello
        #expect(try run([Self.empty], roomByteCount: roomByteCount).isEmpty)
        #expect(try run([joined], roomByteCount: roomByteCount) == Self.text + Self.text)
        #expect(try run(joined.map { [$0] }, roomByteCount: roomByteCount) == Self.text + Self.text)
        for split in 0...joined.count {
            #expect(try run([Array(joined[..<split]), Array(joined[split...])], roomByteCount: roomByteCount) == Self.text + Self.text)
        }
    }

    @Test("What ends early is truncated, wherever")
    func truncated() {
        for count in 0..<Self.hello.count {
            #expect(throws: CompressionError.truncated) { try run([Array(Self.hello[..<count])]) }
        }
    }

    @Test("What is damaged, no bzip2, or followed by something else is refused, and stays so")
    func damage() throws {
        #expect(throws: CompressionError.self) { try run([Array("no bzip2".utf8)]) }
        #expect(throws: CompressionError.bytesAfterEnd) { try run([Self.hello + [1, 2, 3, 4]]) }
        var damaged = Self.hello
        damaged[15] ^= 0x10
        #expect(throws: CompressionError.self) { try run([damaged]) }
        let decoder = StreamDecoder.bzip2(outputByteCountMax: 10)
        var room: [UInt8] = [0]
        for bytes in [Array("no".utf8), Self.hello] {
            #expect(throws: CompressionError.otherFormat("bzip2")) {
                try unsafe bytes.withUnsafeBytes { input in
                    try unsafe room.withUnsafeMutableBytes { try unsafe decoder.update(input, into: $0) }
                }
            }
        }
    }

    @Test("It is bounded by what it may stand for")
    func bounded() throws {
        #expect(try run([Self.hello], outputByteCountMax: 6) == Self.text)
        #expect(throws: CompressionError.tooLarge(byteCountMax: 5)) { try run([Self.hello], outputByteCountMax: 5) }
    }
}
