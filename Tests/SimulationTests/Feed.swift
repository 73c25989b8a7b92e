import HTTPServer
import Platform

@testable import HTTPServer

/// A request's body that comes in pieces: whoever reads it hands the turn back after each.
final class Feed: Sendable {
    private let bytes: [UInt8]
    private let end: BytePipe<RequestBodyError>.End
    private let stage: Stage
    private let offset = Monitor(0)
    private let onRoom = Monitor<(@Sendable () -> Void)?>(nil)
    private let pipe: BytePipe<RequestBodyError>

    /// - Parameter isDropped: the client goes away after these bytes.
    init(_ bytes: [UInt8], pieceByteCount: Int, isDropped: Bool, on stage: Stage) {
        self.bytes = bytes
        self.stage = stage
        end = isDropped ? .failed(.disconnected) : .complete
        let onRoom = onRoom
        pipe = BytePipe(capacity: pieceByteCount) { onRoom.withLock { $0 }?() }
        onRoom.withLock { $0 = { [weak self] in self?.next() } }
        pump()
    }

    /// - Parameter byteCount: as it was announced.
    func body(announcing byteCount: Int) -> RequestBody {
        RequestBody(declaredByteCount: Int64(byteCount), pipe: pipe, onFirstRead: {})
    }

    /// The piece was read.
    private func next() {
        stage.pause(at: "the body, after \(offset.withLock { $0 }) of \(bytes.count) bytes")
        if stage.isDead { return pipe.finish(.failed(.disconnected)) }
        pump()
    }

    private func pump() {
        var start = offset.withLock { $0 }
        while start < bytes.count {
            let rest = bytes[start...]
            let count = unsafe rest.withUnsafeBytes { unsafe pipe.write($0) }
            if count == 0 { break }
            start += count
        }
        offset.withLock { $0 = start }
        // Asked, so that the pipe tells when it was read.
        if start == bytes.count { pipe.finish(end) } else { _ = pipe.room() }
    }
}
