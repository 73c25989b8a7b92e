import HTTP
import HTTPServer
import Platform
import Support
import Testing

private let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

@Suite struct ServerFilesTests {
    private let directory: TemporaryDirectory
    private let bytes = (0..<900_000).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ $0 >> 8) }
    private let file: OpenFile

    init() throws {
        directory = try TemporaryDirectory()
        file = OpenFile(try File.open(try directory.write("pack", bytes), .read))
    }

    private func extents(_ ranges: [Range<Int>]) -> ResponseBody {
        .files(
            ranges.map { FileExtent(file: file, offset: Int64($0.lowerBound), byteCount: Int64($0.count)) },
            byteCount: Int64(ranges.reduce(0) { $0 + $1.count }))
    }

    @Test(arguments: [[0..<10], [0..<900_000], [700_000..<900_000, 5..<5, 3..<4, 0..<500_000], []])
    func partsOfFilesLeaveInOrder(ranges: [Range<Int>]) throws {
        var limits = Limits()
        limits.turnBytesMax = 64 << 10
        let body = extents(ranges)
        let server = try LoopbackServer(limits: limits) { _ in Response(.ok, body: body) }
        let client = try server.connect()
        for _ in 0..<2 {
            try client.send(get)
            let answer = try #require(try client.receiveAnswer())
            #expect(answer.header("Content-Length") == "\(ranges.reduce(0) { $0 + $1.count })")
            #expect(answer.body == ranges.flatMap { bytes[$0] })
        }
        try client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + get)
        #expect(try client.receiveAnswer(hasBody: false)?.status == 200)
        #expect(try client.receiveAnswer()?.body.count == ranges.reduce(0) { $0 + $1.count })
    }

    @Test func aFileThatTurnsOutShorterBreaksTheConnectionOff() throws {
        let short = OpenFile(try File.open(try directory.write("short", Array(bytes[..<1000])), .read))
        let server = try LoopbackServer { _ in
            Response(.ok, body: .files([FileExtent(file: short, offset: 0, byteCount: 5000)], byteCount: 5000))
        }
        let client = try server.connect()
        try client.send(get)
        // What was there may arrive or not; never more than it, and never a proper end.
        var received: [UInt8] = []
        #expect(throws: SystemError("receive", "", .connectionReset)) {
            while true {
                let some = try client.receiveSome()
                if some.isEmpty { break }
                received += some
            }
        }
        #expect(received.count < 5000)
        #expect(server.waitForRecords(1).first?.isComplete == false)
    }

    @Test func filesThatDoNotAddUpAreAnsweredWith500() throws {
        let file = file
        let server = try LoopbackServer { _ in
            Response(.ok, body: .files([FileExtent(file: file, offset: 0, byteCount: 5)], byteCount: 6))
        }
        let client = try server.connect()
        try client.send(get)
        #expect(try client.receiveAnswer()?.status == 500)
    }

    @Test func aLongDownloadLeavesOthersTheirTurn() throws {
        let body = extents([[Range<Int>]](repeating: [0..<900_000], count: 40).flatMap { $0 })
        let server = try LoopbackServer(atOnce: { head in
            head.target.path == "/long" ? Response(.ok, body: body) : .text("short")
        }, respond: { _ in Response(.ok) })
        let long = try server.connect()
        try long.send("GET /long HTTP/1.1\r\nHost: h\r\n\r\n")
        let short = try server.connect()
        try short.send(get)
        #expect(try short.receiveAnswer()?.text == "short")
        #expect(try long.receiveAnswer()?.body.count == 36_000_000)
    }
}
