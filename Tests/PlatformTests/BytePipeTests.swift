import Platform
import Synchronization
import Testing

private enum Broken: Error { case off }

private func write(_ pipe: BytePipe<Broken>, _ bytes: [UInt8]) -> Int {
    unsafe bytes.withUnsafeBytes { unsafe pipe.write($0) }
}

private func read(_ pipe: BytePipe<Broken>, _ count: Int) throws(Broken) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    let taken = try unsafe span.withUnsafeMutableBytes { buffer throws(Broken) in try unsafe pipe.read(into: buffer) }
    return Array(bytes[..<taken])
}

@Suite struct BytePipeTests {
    @Test func whatGoesInComesOutInOrderWhateverThePieces() throws {
        let pipe = BytePipe<Broken>(capacity: 10_000, onRoom: {})
        var sent: [UInt8] = []
        var received: [UInt8] = []
        var next: UInt8 = 0
        for step in 0..<2000 {
            let piece = (0..<(step % 97 + 1)).map { _ in next &+= 7; return next }
            let taken = write(pipe, piece)
            sent += piece[..<taken]
            if received.count < sent.count { received += try read(pipe, step % 71 + 1) }
        }
        pipe.finish(.complete)
        while true {
            let rest = try read(pipe, 333)
            if rest.isEmpty { break }
            received += rest
        }
        #expect(received == sent)
        #expect(sent.count > 50_000)
    }

    @Test func aFullPipeRefusesAndRingsWhenHalfOfItIsFree() throws {
        let counter = SharedCounter()
        let pipe = BytePipe<Broken>(capacity: 100, onRoom: { counter.add() })
        #expect(write(pipe, [UInt8](repeating: 1, count: 120)) == 100)
        #expect(pipe.room() == 0)
        _ = try read(pipe, 30)
        #expect(counter.value == 0)
        _ = try read(pipe, 20)
        #expect(counter.value == 1)
        _ = try read(pipe, 20)
        #expect(counter.value == 1, "it rings once for each refusal")
        #expect(pipe.room() == 70)
    }

    @Test func aFailureOvertakesWhatWaits() throws {
        let pipe = BytePipe<Broken>(capacity: 100, onRoom: {})
        _ = write(pipe, [1, 2, 3])
        pipe.finish(.failed(.off))
        pipe.finish(.complete)
        #expect(throws: Broken.off) { try read(pipe, 10) }
    }

    @Test func theEndComesAfterWhatWaits() throws {
        let pipe = BytePipe<Broken>(capacity: 100, onRoom: {})
        _ = write(pipe, [1, 2, 3])
        pipe.finish(.complete)
        #expect(try read(pipe, 2) == [1, 2])
        #expect(try read(pipe, 2) == [3])
        #expect(try read(pipe, 2) == [])
        #expect(try read(pipe, 2) == [])
    }

    @Test func aReaderWaitsForTheFirstByte() throws {
        let pipe = BytePipe<Broken>(capacity: 100, onRoom: {})
        let thread = ThreadHandle(named: "writer") { _ = write(pipe, [9]) }
        #expect(try read(pipe, 10) == [9])
        thread.join()
    }

    @Test func bothSidesWorkInPlaceAndTheRingTurns() throws {
        let pipe = BytePipe<Broken>(capacity: 10, onRoom: {})
        var next: UInt8 = 0
        var received: [UInt8] = []
        for _ in 0..<50 {
            let filled = unsafe pipe.fill(atMost: 7) { room in
                for index in room.indices {
                    unsafe room[index] = next
                    next &+= 1
                }
                return room.count
            }
            #expect((1...7).contains(filled ?? 0), "a piece ends where the ring does, and is never empty")
            let count = try unsafe pipe.take(failed: { $0 }) { bytes throws(Broken) in unsafe received += bytes }
            #expect(count == filled)
        }
        #expect(received == (0..<received.count).map { UInt8(truncatingIfNeeded: $0) })
    }

    @Test func whatIsLentToTheSinkIsNotRoomYet() throws {
        let pipe = BytePipe<Broken>(capacity: 4, onRoom: {})
        _ = write(pipe, [1, 2, 3, 4])
        _ = try unsafe pipe.take(failed: { $0 }) { bytes throws(Broken) in
            #expect(pipe.room() == 0)
            #expect(unsafe [UInt8](bytes) == [1, 2, 3, 4])
        }
        #expect(pipe.room() == 4)
    }

    @Test func aSinkThatThrowsHasTakenWhatItWasLent() throws {
        let pipe = BytePipe<Broken>(capacity: 4, onRoom: {})
        _ = write(pipe, [1, 2, 3, 4])
        #expect(throws: Broken.off) {
            _ = try unsafe pipe.take(atMost: 3, failed: { $0 }) { _ throws(Broken) in throw .off }
        }
        #expect(try read(pipe, 9) == [4])
    }

    @Test func fillingWhereNobodyReadsAnyMoreIsNotTried() {
        let pipe = BytePipe<Broken>(capacity: 4, onRoom: {})
        pipe.abandon()
        #expect(unsafe pipe.fill(atMost: 4) { _ in 4 } == nil)
        #expect(pipe.room() == .max)
    }

    @Test func anAbandonedPipeDropsWhatComes() {
        let counter = SharedCounter()
        let pipe = BytePipe<Broken>(capacity: 4, onRoom: { counter.add() })
        _ = write(pipe, [1, 2, 3, 4, 5])
        pipe.abandon()
        #expect(counter.value == 1)
        #expect(write(pipe, [UInt8](repeating: 0, count: 1000)) == 1000)
    }
}

final class SharedCounter: Sendable {
    private let count = Atomic(0)
    func add() { count.add(1, ordering: .relaxed) }
    var value: Int { count.load(ordering: .relaxed) }
}
