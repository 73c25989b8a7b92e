import Platform

@testable import HTTPServer

/// An answer's body that is made while it is sent, in turns: its maker is a strand, which stops after each piece.
final class StreamedAnswer {
    enum End: Sendable {
        case whole
        case brokenOff(String)
    }

    private let outlet: ByteOutlet
    private let strand: Strand<End>

    /// - Parameter pieceByteCount: about so many bytes come at a time.
    init(
        _ number: Int, on stage: Stage, byteCount: Int64, pieceByteCount: Int,
        _ produce: @escaping @Sendable (BodyWriter) throws -> Void
    ) {
        let outlet = ByteOutlet(blockByteCount: max(pieceByteCount, BodyWriter.blockByteCountMin), blockCountMax: 2) {
            stage.pause(at: "the next piece of an answer")
        }
        self.outlet = outlet
        strand = Strand(number, on: stage) {
            let writer = BodyWriter(outlet, framing: .contentLength(byteCount))
            do {
                try produce(writer)
                try writer.finish()
                return .whole
            } catch { return .brokenOff("\(error)") }
        }
    }

    /// Nil while there is more to come.
    var end: End? { strand.output }

    /// Lets it go on to where it stops next, and takes what it has made.
    func readOn() -> [UInt8] {
        // Asked, so that it tells when there is some.
        var bytes = take()
        if end == nil { strand.resume() }
        bytes += take()
        return bytes
    }

    /// Nobody wants more.
    func unwind() {
        outlet.abandon()
        while end == nil { strand.resume() }
    }

    private func take() -> [UInt8] {
        var bytes: [UInt8] = []
        while case .bytes = unsafe outlet.take(atMost: .max, { piece in
            unsafe bytes.append(contentsOf: piece)
            return piece.count
        }) {}
        return bytes
    }
}
