import Compression
import NixStore
import Platform

/// A build log as it is sent: one zstd stream. It is made piece by piece, so that a long log takes no more memory than what is
/// sent of it.
struct BuildLogBody {
    let bytes: [UInt8]
    /// What it stands for, in bytes.
    let byteCount: Int

    /// What a client sends of one log at most, in bytes; servers take less.
    private static let bytesMax = 64 << 20
    /// Text compresses well and fast at this level.
    private static let level: Int32 = 6

    /// Reads a log.
    ///
    /// - Parameter byteCountMax: what it may have.
    /// - Throws: a sentence about the file where it cannot be read, or has more.
    init(_ file: BuildLogFile, byteCountMax: Int64) throws(UnreadableLog) {
        let most = Int(clamping: byteCountMax)
        let descriptor: FileDescriptor
        do throws(SystemError) { descriptor = try File.open(file.path, .read) } catch { throw UnreadableLog("\(error)") }
        var packing = Packing(file, byteCountMax: most)
        let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { unsafe input.deallocate() }
        while true {
            let count: Int
            do throws(Errno) { count = try unsafe descriptor.read(into: input) } catch {
                throw UnreadableLog("cannot read \(file.path): \(error)")
            }
            if count == 0 { break }
            try unsafe packing.take(UnsafeRawBufferPointer(rebasing: input[..<count]))
        }
        (bytes, byteCount) = try packing.finish()
    }

    /// The way of the bytes: out of bzip2 where they are in it, and into zstd.
    @safe private struct Packing: ~Copyable {
        private let path: String
        private let byteCountMax: Int
        private let decoder: StreamDecoder?
        private let encoder = StreamEncoder(.zstd, level: BuildLogBody.level)
        private let plain = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        private let packed = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        private var bytes: [UInt8] = []
        private var byteCount = 0

        init(_ file: BuildLogFile, byteCountMax: Int) {
            path = file.path
            self.byteCountMax = byteCountMax
            decoder = file.isBzip2 ? StreamDecoder.bzip2(outputByteCountMax: byteCountMax) : nil
        }

        deinit {
            unsafe plain.deallocate()
            unsafe packed.deallocate()
        }

        mutating func take(_ input: UnsafeRawBufferPointer) throws(UnreadableLog) {
            guard let decoder else { return try unsafe pack(input) }
            try unsafe decoder.forEachPiece(of: input, through: plain, failed: { failure($0) }) { text throws(UnreadableLog) in
                try unsafe pack(text)
            }
        }

        private mutating func pack(_ text: UnsafeRawBufferPointer) throws(UnreadableLog) {
            byteCount += text.count
            guard byteCount <= byteCountMax else { throw tooLong }
            try unsafe encoder.encode(text, through: packed) { piece throws(UnreadableLog) in try unsafe keep(piece) }
        }

        private mutating func keep(_ piece: UnsafeRawBufferPointer) throws(UnreadableLog) {
            guard bytes.count + piece.count <= BuildLogBody.bytesMax else { throw tooLong }
            unsafe bytes.append(contentsOf: piece)
        }

        consuming func finish() throws(UnreadableLog) -> (bytes: [UInt8], byteCount: Int) {
            // A file that is empty, and says that it is compressed, was never written.
            if let decoder, byteCount > 0 {
                do throws(CompressionError) { try decoder.finish() } catch { throw failure(error) }
            }
            try unsafe encoder.finish(through: packed) { piece throws(UnreadableLog) in try unsafe keep(piece) }
            return (bytes, byteCount)
        }

        private var tooLong: UnreadableLog { UnreadableLog("\(path) has more than the \(byteCountMax) bytes that the server takes") }

        private func failure(_ error: CompressionError) -> UnreadableLog {
            if case .tooLarge = error { return tooLong }
            return UnreadableLog("\(path): \(error)")
        }
    }
}

/// Why a log cannot be sent: a sentence without its full stop.
struct UnreadableLog: Error, Hashable, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
