import HTTP
import HTTPServer
import Platform
import Support
import Testing

/// A disk from which nothing is in memory before it was read, and whose reads end when the test says so.
private final class SlowDisk: Disk {
    private let state = Monitor((read: [Range<Int64>](), asked: 0, isOpen: false))

    func isInMemory(_ extent: FileExtent) -> Bool {
        state.withLock { state in
            var offset = extent.offset
            while offset < extent.offset + extent.byteCount {
                guard let range = state.read.first(where: { $0.contains(offset) }) else { return false }
                offset = range.upperBound
            }
            return true
        }
    }

    func read(_ extent: FileExtent, following: ArraySlice<FileExtent>) {
        state.update { $0.asked += 1 }
        state.wait { state -> Void? in
            guard state.isOpen else { return nil }
            state.read.append(extent.offset..<extent.offset + extent.byteCount)
            return ()
        }
    }

    func open() { state.update { $0.isOpen = true } }
    func waitForReads(_ count: Int) { _ = state.wait { state -> Bool? in state.asked >= count ? true : nil } }
    var windows: [Range<Int64>] { state.withLock { $0.read } }
}

@Suite struct ServerColdFilesTests {
    private let directory: TemporaryDirectory
    private let bytes = (0..<900_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
    private let file: OpenFile
    private let disk = SlowDisk()

    init() throws {
        directory = try TemporaryDirectory()
        file = OpenFile(try File.open(try directory.write("pack", bytes), .read))
    }

    private func server() throws -> LoopbackServer {
        var limits = Limits()
        limits.fileWindowBytes = 100_000
        let extents = [700_000..<900_000, 3..<3, 0..<350_000].map {
            FileExtent(file: file, offset: Int64($0.lowerBound), byteCount: Int64($0.count))
        }
        return try LoopbackServer(limits: limits, disk: disk, atOnce: { head in
            head.target.path == "/cold" ? Response(.ok, body: .files(extents, byteCount: 550_000)) : .text("warm")
        }, respond: { _ in Response(.ok) })
    }

    private func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n" }

    @Test("While the disk is at work for some, the loop answers others; what was read is sent whole, window by window")
    func others() throws {
        let server = try server()
        let cold = try (0..<3).map { _ in try server.connect() }
        for client in cold { try client.send(get("/cold")) }
        disk.waitForReads(3)
        let other = try server.connect()
        for _ in 0..<3 {
            try other.send(get("/a"))
            #expect(try other.receiveAnswer()?.text == "warm")
        }
        disk.open()
        for client in cold { #expect(try client.receiveAnswer()?.body == Array(bytes[700_000...] + bytes[..<350_000])) }
        let windows: [Range<Int64>] = [700_000..<800_000, 800_000..<900_000, 0..<100_000, 100_000..<200_000, 200_000..<300_000, 300_000..<350_000]
        #expect(Set(disk.windows) == Set(windows))
        // In memory from now on.
        let count = disk.windows.count
        try cold[0].send(get("/cold") + get("/b"))
        #expect(try cold[0].receiveAnswer()?.body.count == 550_000)
        #expect(try cold[0].receiveAnswer()?.text == "warm")
        #expect(disk.windows.count == count)
    }

    @Test("A client that leaves while the disk is at work harms nobody, and the server ends")
    func leaving() throws {
        let server = try server()
        do {
            let client = try server.connect()
            try client.send(get("/cold"))
            disk.waitForReads(1)
        }
        let other = try server.connect()
        try other.send(get("/a"))
        #expect(try other.receiveAnswer()?.text == "warm")
        disk.open()
        try other.send(get("/cold"))
        #expect(try other.receiveAnswer()?.body.count == 550_000)
    }
}
