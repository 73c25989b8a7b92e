import Chunking
import Testing

@Suite struct ChunkerTests {
    private static func cutter() throws -> FastCDC {
        FastCDC(sizes: try ChunkSizes(minimum: 64, average: 256, maximum: 1024))
    }

    /// The chunks of `bytes`, cut as a whole.
    private func chunksOfWhole(_ bytes: [UInt8], _ cutter: FastCDC) -> [[UInt8]] {
        var chunks: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let cut = unsafe Array(rest).span.withUnsafeBytes { unsafe cutter.cut($0) }
            chunks.append(Array(rest.prefix(cut)))
            rest = rest.dropFirst(cut)
        }
        return chunks
    }

    private func take(_ chunker: inout Chunker, into chunks: inout [[UInt8]]) {
        while let chunk = unsafe chunker.withNextChunk({ unsafe [UInt8]($0) }) { chunks.append(chunk) }
    }

    /// The chunks of pieces that are appended one after another.
    private func chunks(_ pieces: [[UInt8]], _ chunker: inout Chunker) -> [[UInt8]] {
        var chunks: [[UInt8]] = []
        for piece in pieces {
            var start = 0
            while start < piece.count {
                start += unsafe piece.span.withUnsafeBytes { bytes in
                    unsafe chunker.append(UnsafeRawBufferPointer(rebasing: bytes[start...]))
                }
                take(&chunker, into: &chunks)
            }
        }
        chunker.finish()
        take(&chunker, into: &chunks)
        return chunks
    }

    @Test("The cuts do not depend on the pieces", arguments: [1, 7, 100, 1023, 1024, 1025, 5000, 100_000])
    func pieces(pieceByteCount: Int) throws {
        let cutter = try Self.cutter()
        let bytes = randomBytes(30_000, seed: 7)
        let expected = chunksOfWhole(bytes, cutter)
        var chunker = Chunker(cutter)
        let pieces = stride(from: 0, to: bytes.count, by: pieceByteCount).map {
            Array(bytes[$0..<min($0 + pieceByteCount, bytes.count)])
        }
        let found = chunks(pieces, &chunker)
        #expect(found == expected)
        chunker.reset()
        let again = chunks([bytes], &chunker)
        #expect(again == expected)
    }

    @Test func splitAtEveryPlaceItIsTheSame() throws {
        let cutter = try Self.cutter()
        let bytes = randomBytes(2500, seed: 11)
        let expected = chunksOfWhole(bytes, cutter)
        var chunker = Chunker(cutter)
        for split in 0...bytes.count {
            let found = chunks([Array(bytes[..<split]), Array(bytes[split...])], &chunker)
            #expect(found == expected, "split at \(split)")
            chunker.reset()
        }
    }

    @Test("Filled in place by odd amounts, it cuts the same and stays within its buffer", arguments: UInt64(1)...10)
    func filledInPlace(seed: UInt64) throws {
        let cutter = try Self.cutter()
        let bytes = randomBytes(20_000, seed: seed)
        let amounts = randomBytes(20_000, seed: seed + 100)
        var chunker = Chunker(cutter)
        var found: [[UInt8]] = []
        var start = 0
        var step = 0
        while start < bytes.count {
            let wanted = min(Int(amounts[step]) * 16 + 1, bytes.count - start)
            let position = start
            let count = unsafe chunker.withRoom { room in
                #expect(room.count >= 1024)
                let count = min(room.count, wanted)
                unsafe room.copyBytes(from: bytes[position..<position + count])
                return count
            }
            start += count
            step += 1
            #expect(chunker.pendingByteCount <= chunker.capacity)
            take(&chunker, into: &found)
            #expect(chunker.pendingByteCount < 1024)
        }
        chunker.finish()
        take(&chunker, into: &found)
        #expect(found == chunksOfWhole(bytes, cutter))
        #expect(chunker.pendingByteCount == 0)
        #expect(chunker.capacity == 4096)
    }

    @Test func aStreamOfNothingHasNoChunks() throws {
        var chunker = Chunker(try Self.cutter())
        let found = chunks([[]], &chunker)
        #expect(found.isEmpty)
    }

    @Test func aFailedReadAddsNothingAndAFailedTakeCountsAsTaken() throws {
        struct Failure: Error {}
        var chunker = Chunker(try Self.cutter())
        do throws(Failure) {
            _ = try unsafe chunker.withRoom { (_) throws(Failure) in throw Failure() }
            Issue.record("the failure was swallowed")
        } catch {}
        #expect(chunker.pendingByteCount == 0)
        let appended = unsafe randomBytes(40, seed: 1).span.withUnsafeBytes { unsafe chunker.append($0) }
        #expect(appended == 40)
        chunker.finish()
        do throws(Failure) {
            _ = try unsafe chunker.withNextChunk { (_) throws(Failure) in throw Failure() } as Int?
            Issue.record("the failure was swallowed")
        } catch {}
        #expect(chunker.pendingByteCount == 0)
    }
}
