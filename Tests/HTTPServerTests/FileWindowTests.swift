import Testing

@testable import HTTPServer

/// What a window says over a file of which some windows are in memory.
@Suite struct FileWindowTests {
    /// Does what the window says to the end of the file, as a reader who is done when the window waits for it, and tells in
    /// words what was done.
    private func run(_ range: Range<Int64>, window bytes: Int64, isInMemory: (Int64) -> Bool) -> [String] {
        var window = FileWindow(windowBytes: bytes)
        var said: [String] = []
        var read: [Range<Int64>] = []
        var offset = range.lowerBound
        while offset < range.upperBound {
            switch window.next(offset..<range.upperBound) {
            case .probe(let range):
                let found = range.allSatisfy { byte in isInMemory(byte) || read.contains { $0.contains(byte) } }
                said.append("\(found ? "found" : "missed") \(range)")
                window.probed(range, isInMemory: found)
            case .read(let range):
                said.append("read \(range)")
                read.append(range)
            case .wait:
                said.append("wait")
                window.wasRead()
            case .send(let count):
                #expect((offset..<offset + count).allSatisfy { byte in isInMemory(byte) || read.contains { $0.contains(byte) } })
                said.append("send \(count)")
                offset += count
            }
        }
        return said
    }

    @Test("What is in memory is probed once a window, and sent")
    func warm() {
        #expect(run(5..<25, window: 10) { _ in true } == ["found 5..<15", "send 10", "found 15..<25", "send 10"])
        #expect(run(0..<3, window: 10) { _ in true } == ["found 0..<3", "send 3"])
    }

    @Test("What is not is read first, and from then on one window ahead of what is sent")
    func cold() {
        #expect(run(0..<30, window: 10) { _ in false } == [
            "missed 0..<10", "read 0..<10", "wait", "missed 10..<20", "read 10..<20", "send 10",
            "wait", "missed 20..<30", "read 20..<30", "send 10", "wait", "send 10",
        ])
    }

    @Test("A part that is missing in the middle is read, the rest is not")
    func partly() {
        #expect(run(0..<40, window: 10) { $0 < 15 || $0 >= 20 } == [
            "found 0..<10", "send 10", "missed 10..<20", "read 10..<20", "wait", "found 20..<30", "send 20", "found 30..<40", "send 10",
        ])
    }

    @Test("It does not run further ahead than a window and what is being sent")
    func ahead() {
        var window = FileWindow(windowBytes: 10)
        #expect(window.next(0..<100) == .probe(0..<10))
        window.probed(0..<10, isInMemory: false)
        #expect(window.next(0..<100) == .read(0..<10))
        window.wasRead()
        // The reader is faster than the client.
        #expect(window.next(0..<100) == .probe(10..<20))
        window.probed(10..<20, isInMemory: false)
        #expect(window.next(0..<100) == .read(10..<20))
        window.wasRead()
        #expect(window.next(1..<100) == .send(19))
        #expect(window.next(9..<100) == .send(11))
        #expect(window.next(10..<100) == .probe(20..<30))
    }

    @Test("What waited for a slow client is looked at again, and only that")
    func doubted() {
        var window = FileWindow(windowBytes: 10)
        window.probed(0..<10, isInMemory: true)
        #expect(window.next(4..<100) == .send(6))
        window.doubt()
        #expect(window.next(4..<100) == .probe(4..<10))
        window.probed(4..<10, isInMemory: true)
        #expect(window.next(4..<100) == .send(6))
        window.doubt()
        #expect(window.next(4..<100) == .probe(4..<10))
        window.probed(4..<10, isInMemory: false)
        #expect(window.next(4..<100) == .read(4..<10))
        #expect(window.next(4..<100) == .wait)
        window.wasRead()
        #expect(window.next(4..<100) == .probe(10..<20))
    }

    @Test("A reader that is done late, or twice, changes nothing")
    func late() {
        var window = FileWindow(windowBytes: 10)
        window.wasRead()
        #expect(window.next(0..<100) == .probe(0..<10))
        window.probed(0..<10, isInMemory: true)
        window.restart()
        window.wasRead()
        #expect(window.next(50..<100) == .probe(50..<60))
    }
}
