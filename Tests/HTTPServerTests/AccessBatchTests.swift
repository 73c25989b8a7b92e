import HTTP
import Platform
import Testing

@testable import HTTPServer

@Suite struct AccessBatchTests {
    private func batch(_ targets: [String]) throws -> AccessBatch {
        var batch = AccessBatch()
        for (number, target) in targets.enumerated() {
            let socket = try Pipe().takeReadEnd()
            var connection = Connection(
                cookie: Cookie(slot: 0, generation: 0), socket: socket, peer: .any(port: 1), client: nil, limits: Limits())
            let head = try RequestHead(parsing: "GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n")
            connection.exchange = .init(
                id: RequestID(rawValue: UInt64(number)), head: head, began: MonotonicTime(nanoseconds: 5), time: .now, status: .ok,
                sentByteCount: 7)
            batch.add(connection, isComplete: true, now: MonotonicTime(nanoseconds: 25))
        }
        return batch
    }

    private func requests(_ batch: AccessBatch) -> [String] {
        batch.records.map { String(decoding: batch.request(of: $0), as: UTF8.self) }
    }

    @Test func batchesAreJoinedAndBeginAnew() throws {
        var all = try batch(["/a", "/b?c"])
        all.append(try batch(["/d"]))
        #expect(requests(all) == ["GET /a", "GET /b?...", "GET /d"])
        #expect(all.records.map(\.durationNanoseconds) == [20, 20, 20])
        #expect(all.records.map(\.sentByteCount) == [7, 7, 7])
        all.removeAll()
        #expect(all.isEmpty && all.byteCount == 0)
        all.append(try batch(["/e"]))
        #expect(requests(all) == ["GET /e"])
    }

    @Test func aRequestsNameHasSixteenDigits() {
        for number in [0, 1, 0x0123_4567_89ab_cdef, .max, 0x9000_a000_f000_0009] as [UInt64] {
            let digits = String(number, radix: 16)
            #expect(RequestID(rawValue: number).description == String(repeating: "0", count: 16 - digits.count) + digits)
        }
    }
}
