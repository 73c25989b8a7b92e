import HTTP
import HTTPClient
import Platform
import S3

extension S3Client {
    /// Why a range was given up that could have been read.
    struct Unwanted: Error {}

    /// Reads a range of an object into memory. Where the connection breaks in the middle, it goes on where it broke.
    ///
    /// - Parameters:
    ///   - isWanted: is asked as bytes come; false ends it with `nil`.
    /// - Returns: exactly its bytes; nil where nobody wants them any more.
    /// - Throws: `.missing` and `.short` as `ChunkStore.read` does.
    func read(
        _ extent: Extent, key: String, while isWanted: @escaping () -> Bool = { true }
    ) throws(StorageError) -> [UInt8]? {
        try reach(.read, "read", key)
        let wanted = Int(extent.byteCount)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(wanted)
        var tries = 0
        while bytes.count < wanted {
            if !isWanted() { return nil }
            let had = bytes.count
            let question = Question(
                method: .get, key: key, headers: ["range": "bytes=\(extent.offset + Int64(had))-\(extent.end - 1)"],
                operation: "read", answers: [404, 416])
            let gathered = Gathered(wanted: wanted - had)
            let begin = "bytes \(extent.offset + Int64(had))-"
            let outcome = try unsafe send(question, if: { $0.header("Content-Range")?.hasPrefix(begin) == true }) { piece in
                if !isWanted() { throw Unwanted() }
                try unsafe gathered.take(piece)
            }
            switch outcome {
            case .answer(let response):
                switch response.status.code {
                case 404: throw error(question, .missing(extent.pack))
                case 416: throw try short(extent, key)
                case 206 where response.header("Content-Range")?.hasPrefix(begin) == true: break
                // One that knows no ranges sends all of it.
                default: throw error(question, .refused("it answered \(response.status) to a range, and sent another or none"))
                }
                bytes += gathered.bytes
                // The object ends there: a range is cut to what there is.
                if bytes.count < wanted { throw try short(extent, key) }
            case .trouble(let words):
                if !isWanted() { return nil }
                // What came of a try that broke is good: the object never changes.
                bytes += gathered.bytes
                tries = bytes.count > had ? 1 : tries + 1
                if tries >= limits.triesMax { throw error(question, .unreachable(words)) }
                pace.rest(after: tries)
            }
        }
        return bytes
    }

    private func short(_ extent: Extent, _ key: String) throws(StorageError) -> StorageError {
        guard let byteCount = try byteCount(of: key) else {
            return StorageError("read", bucket.location(of: key), .missing(extent.pack))
        }
        let found = max(0, min(extent.byteCount, byteCount - extent.offset))
        // It is as long as it should be: then the answer was cut without telling.
        if found == extent.byteCount {
            return StorageError("read", bucket.location(of: key), .unreachable("it sent less of the object than there is"))
        }
        return StorageError("read", bucket.location(of: key), .short(extent, found: found))
    }
}

/// What comes of one try. Thread: the one that asks.
private final class Gathered {
    private(set) var bytes: [UInt8] = []
    private let wanted: Int

    init(wanted: Int) {
        self.wanted = wanted
        bytes.reserveCapacity(wanted)
    }

    func take(_ piece: UnsafeRawBufferPointer) throws {
        if piece.count > wanted - bytes.count { throw S3Client.Unwanted() }
        unsafe bytes.append(contentsOf: piece)
    }
}
