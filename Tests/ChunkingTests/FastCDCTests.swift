@testable import Chunking
import Crypto
import Testing

@Suite struct FastCDCTests {
    @Test func theVectorsAreThere() {
        #expect(Vector.all.count == 12)
        #expect(Vector.all.map(\.lengths.count).reduce(0, +) > 500)
    }

    @Test("Published cut points and hashes are found", arguments: Vector.all)
    func vectors(vector: Vector) throws {
        let bytes = try vector.bytes()
        let cutter = FastCDC(sizes: try ChunkSizes(minimum: vector.minimum, average: vector.average, maximum: vector.maximum))
        var lengths: [Int] = []
        var hashes: [UInt64] = []
        unsafe bytes.span.withUnsafeBytes { buffer in
            var start = 0
            while start < buffer.count {
                let cut = unsafe cutter.cutWithHash(UnsafeRawBufferPointer(rebasing: buffer[start...]))
                lengths.append(cut.byteCount)
                hashes.append(cut.hash)
                start += cut.byteCount
            }
        }
        #expect(lengths == vector.lengths)
        #expect(Array(hashes.prefix(vector.firstHashes.count)) == vector.firstHashes)
    }

    @Test func theGearTableIsMadeOfMD5() {
        #expect(GearTable.values.count == 256)
        for (value, gear) in GearTable.values.enumerated() {
            let digest = MD5.digest(of: [UInt8](repeating: UInt8(value), count: 64))
            #expect(digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } == gear)
            #expect(GearTable.shiftedValues[value] == gear << 1)
        }
    }

    @Test func masksHaveAsManyBitsAsTheyAreFor() {
        for bits in 7...23 {
            #expect(FastCDC.mask(bits: bits).nonzeroBitCount == bits)
        }
    }

    /// The definition, a byte at a time, as section 3 of the paper has it before two bytes are taken at once.
    private func cutByDefinition(_ bytes: [UInt8], _ sizes: ChunkSizes) -> Int {
        guard bytes.count > sizes.minimum else { return bytes.count }
        let end = min(bytes.count, sizes.maximum)
        let center = min(sizes.average, end) & ~1
        var hash: UInt64 = 0
        for index in (sizes.minimum & ~1)..<max(end & ~1, sizes.minimum & ~1) {
            hash = hash << 1 &+ GearTable.values[Int(bytes[index])]
            let bits = sizes.averageBits + (index < center ? 1 : -1)
            if hash & FastCDC.mask(bits: bits) == 0 { return index }
        }
        return end
    }

    @Test("Two bytes a step cut where one byte a step does", arguments: [
        (64, 256, 1024), (65, 257, 1025), (64, 1000, 3001), (100, 362, 1024), (100, 363, 1024), (256, 256, 1024), (1024, 1024, 1024),
    ])
    func definition(minimum: Int, average: Int, maximum: Int) throws {
        let sizes = try ChunkSizes(minimum: minimum, average: average, maximum: maximum)
        let cutter = FastCDC(sizes: sizes)
        for seed in UInt64(1)...40 {
            let bytes = randomBytes(Int(seed) * 89, seed: seed)
            let cut = unsafe bytes.span.withUnsafeBytes { unsafe cutter.cut($0) }
            #expect(cut == cutByDefinition(bytes, sizes), "seed \(seed)")
        }
    }

    @Test func noMoreThanTheMaximumIsLookedAt() throws {
        let cutter = FastCDC(sizes: try ChunkSizes(minimum: 64, average: 256, maximum: 1024))
        for seed in UInt64(1)...20 {
            let bytes = randomBytes(3000, seed: seed)
            unsafe bytes.span.withUnsafeBytes { buffer in
                let whole = unsafe cutter.cut(buffer)
                let window = unsafe cutter.cut(UnsafeRawBufferPointer(rebasing: buffer[..<1024]))
                #expect(whole == window)
                #expect((64...1024).contains(whole))
            }
        }
    }

    @Test func nothingIsCutFromNothing() throws {
        let cutter = FastCDC(sizes: try ChunkSizes(minimum: 64, average: 256, maximum: 1024))
        #expect(unsafe cutter.cut(UnsafeRawBufferPointer(start: nil, count: 0)) == 0)
    }
}

@Suite struct ChunkSizesTests {
    @Test("Sizes out of bounds or order are refused with a sentence", arguments: [
        (63, 256, 1024, "the minimum chunk size is 63 bytes; it must be 64 to 1048576"),
        (64, 255, 1024, "the average chunk size is 255 bytes; it must be 256 to 4194304"),
        (64, 256, 16_777_217, "the maximum chunk size is 16777217 bytes; it must be 1024 to 16777216"),
        (300, 299, 1024, "the minimum chunk size, 300 bytes, is above the average, 299 bytes"),
        (64, 2000, 1024, "the average chunk size, 2000 bytes, is above the maximum, 1024 bytes"),
        (-1, 256, 1024, "the minimum chunk size is -1 bytes; it must be 64 to 1048576"),
    ])
    func refuses(minimum: Int, average: Int, maximum: Int, sentence: String) {
        do throws(ChunkSizesError) {
            _ = try ChunkSizes(minimum: minimum, average: average, maximum: maximum)
            Issue.record("the sizes were taken")
        } catch {
            #expect(error.description == sentence)
        }
    }

    @Test("The average counts as the nearest power of two", arguments: [
        (256, 8), (362, 8), (363, 9), (65_536, 16), (92_681, 16), (92_682, 17), (4_194_304, 22),
    ])
    func averageBits(average: Int, bits: Int) throws {
        #expect(try ChunkSizes(minimum: 64, average: average, maximum: 16_777_216).averageBits == bits)
    }
}
