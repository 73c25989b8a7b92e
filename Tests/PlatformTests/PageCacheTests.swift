import Platform
import Support
import Testing

@Suite struct PageCacheTests {
    @Test("What was just written is in memory, and asking about nothing or about what lies behind the end is well")
    func written() throws {
        let directory = try TemporaryDirectory()
        let file = try File.open(try directory.write("file", [UInt8](repeating: 1, count: 300_000)), .read)
        // Whole, over the border of two pages, the last byte, nothing.
        for (offset, byteCount) in [(0, 300_000), (4095, 2), (299_999, 1), (5, 0)] as [(Int64, Int64)] {
            let isInMemory = file.isInMemory(at: offset, byteCount: byteCount)
            #expect(isInMemory, "\(byteCount) bytes at \(offset)")
        }
        _ = file.isInMemory(at: 290_000, byteCount: 1_000_000)
        file.willNeed(at: 0, byteCount: 300_000)
        file.willNeed(at: 1_000_000, byteCount: 10)
    }
}
