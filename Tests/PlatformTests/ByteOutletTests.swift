import Platform
import Testing

private enum Broken: Error { case off }

/// Takes at most so many bytes.
private func take(_ outlet: ByteOutlet, _ byteCountMax: Int = .max) -> (bytes: [UInt8], found: ByteOutlet.Found) {
    var bytes: [UInt8] = []
    let found = unsafe outlet.take(atMost: byteCountMax) { lent in
        unsafe bytes = [UInt8](lent)
        return lent.count
    }
    return (bytes, found)
}

/// Hands over a block that begins with `bytes`; false where nobody wants more.
private func put(_ outlet: ByteOutlet, _ bytes: [UInt8]) -> Bool {
    guard let block = outlet.takeBlock() else { return false }
    unsafe block.memory(0..<bytes.count).copyBytes(from: bytes)
    outlet.hand(block, 0..<bytes.count)
    return true
}

@Suite struct ByteOutletTests {
    @Test func aSourceWhosePatienceIsAtItsEndGivesUp() {
        let asked = Monitor(0)
        let patience = ByteOutlet.Patience(.milliseconds(1)) { asked.update { $0 += 1; return $0 < 3 } }
        let outlet = ByteOutlet(blockByteCount: 10, blockCountMax: 2, patience: patience, onBytes: {})
        #expect(put(outlet, [1]) && put(outlet, [2]))
        #expect(asked.withLock { $0 } == 0, "it did not have to wait")
        #expect(!put(outlet, [3]))
        #expect(asked.withLock { $0 } == 3)
        #expect(take(outlet).bytes == [1])
        #expect(put(outlet, [4]))
    }

    @Test func whatGoesInComesOutInOrderWhateverThePieces() {
        let outlet = ByteOutlet(blockByteCount: 100, blockCountMax: 3, onBytes: {})
        var sent: [UInt8] = []
        let pieces: [[UInt8]] = (0..<2000).map { step in (0..<(step % 97 + 1)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ step) } }
        for piece in pieces { sent += piece }
        let source = ThreadHandle(named: "source") {
            for piece in pieces { #expect(put(outlet, piece)) }
            outlet.finish(isWhole: true)
        }
        var received: [UInt8] = []
        var step = 0
        while true {
            let (bytes, found) = take(outlet, step % 71 + 1)
            step += 1
            if found == .end { break }
            received += bytes
        }
        source.join()
        #expect(received == sent)
    }

    @Test func aSinkThatFoundNothingIsToldOnce() {
        let bells = Monitor(0)
        let outlet = ByteOutlet(blockByteCount: 100, blockCountMax: 4, onBytes: { bells.update { $0 += 1 } })
        #expect(put(outlet, [1]))
        #expect(bells.withLock { $0 } == 0, "nobody waited")
        #expect(take(outlet).bytes == [1])
        #expect(take(outlet).found == .nothing)
        #expect(put(outlet, [2]) && put(outlet, [3]))
        #expect(bells.withLock { $0 } == 1)
        #expect(take(outlet).bytes == [2] && take(outlet).bytes == [3])
        #expect(take(outlet).found == .nothing)
        outlet.finish(isWhole: true)
        #expect(bells.withLock { $0 } == 2)
        #expect(take(outlet).found == .end && take(outlet).found == .end)
    }

    @Test func ofWhatWasNotTakenTheRestIsLentAgain() {
        let outlet = ByteOutlet(blockByteCount: 100, blockCountMax: 1, onBytes: {})
        #expect(put(outlet, [1, 2, 3, 4]))
        #expect(unsafe outlet.take(atMost: 3) { $0.count == 3 ? 2 : 0 } == .bytes(taken: 2))
        #expect(unsafe outlet.take(atMost: 3) { _ in 0 } == .bytes(taken: 0))
        #expect(throws: Broken.off) { try unsafe outlet.take(atMost: 3) { _ throws(Broken) in throw .off } }
        #expect(take(outlet).bytes == [3, 4])
    }

    @Test func aSourceThatIsAheadWaitsForABlock() {
        let outlet = ByteOutlet(blockByteCount: 10, blockCountMax: 2, onBytes: {})
        let handed = Monitor(0)
        let source = ThreadHandle(named: "source") {
            for number in 0..<5 where put(outlet, [UInt8(number)]) { handed.update { $0 += 1 } }
        }
        _ = handed.wait { $0 == 2 ? true : nil }
        var taken: [UInt8] = []
        while taken.count < 5 {
            // Never more than the two that there are.
            #expect(handed.withLock { $0 } <= taken.count + 2)
            taken += take(outlet).bytes
        }
        source.join()
        #expect(taken == [0, 1, 2, 3, 4])
    }

    @Test func aFailureOvertakesWhatWaitsAndTheFirstEndCounts() {
        let outlet = ByteOutlet(blockByteCount: 10, blockCountMax: 2, onBytes: {})
        #expect(put(outlet, [1]))
        outlet.finish(isWhole: false)
        outlet.finish(isWhole: true)
        #expect(take(outlet).found == .failure)
    }

    @Test func anAbandonedSourceFindsOutAlsoWhileItWaits() {
        let outlet = ByteOutlet(blockByteCount: 10, blockCountMax: 2, onBytes: {})
        let handed = Monitor(0)
        let source = ThreadHandle(named: "source") {
            while put(outlet, [1]) { handed.update { $0 += 1 } }
        }
        _ = handed.wait { $0 == 2 ? true : nil }
        outlet.abandon()
        source.join()
        #expect(handed.withLock { $0 } == 2)
        #expect(outlet.takeBlock() == nil)
        outlet.finish(isWhole: true)
    }
}
