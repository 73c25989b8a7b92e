// The body of `PUT /_api/v1/upload-paths`: several store paths, one after another. For each path there is
//
//     8 bytes      how long its description is, an unsigned number, little end first
//     that many    the description: JSON, as `PUT /_api/v1/upload-path` takes it
//     nar_size     the NAR
//
// and the body ends where a path ends.

/// Takes such a body apart as it comes in, in pieces of any size. Pure: no bytes of a NAR are kept here, and of a
/// description only those of the one that is under way.
///
///     while bytes are left {
///         let (piece, byteCount) = try reader.take(bytes)   // then go on behind them
///     }
///     reader.isBetweenPaths, or the body has ended too early
package struct UploadPathsReader: Sendable {
    /// What bytes turned out to be.
    package enum Piece: Hashable, Sendable {
        /// A part of something that is not complete yet.
        case part
        /// The length of the next description, in bytes. The reader has no bound on it: refuse it here.
        case infoByteCount(UInt64)
        /// A whole description; as many bytes as it says follow.
        case info(UploadPathNarInfo)
        /// Bytes of the NAR that was described last.
        case nar(isLast: Bool)
    }

    private enum State: Sendable, Equatable {
        case length
        case info(byteCount: UInt64)
        case nar(left: UInt64)
    }

    private var state = State.length
    private var gathered: [UInt8] = []

    package init() {}

    /// Whether a path has ended and the next has not begun: where a body may end.
    package var isBetweenPaths: Bool { state == .length && gathered.isEmpty }

    /// Whether bytes of a NAR are to come, of the path that was described last.
    package var isInNar: Bool { if case .nar = state { true } else { false } }

    /// Looks at the first bytes of what has come.
    ///
    /// - Parameter bytes: what follows the bytes that were taken before; not empty.
    /// - Returns: what they are, and how many of them; at least one.
    /// - Throws: where a description is malformed. The reader is of no use then.
    package mutating func take(_ bytes: Span<UInt8>) throws(APIFormatError) -> (piece: Piece, byteCount: Int) {
        precondition(!bytes.isEmpty, "there is nothing to look at")
        switch state {
        case .length:
            let count = gather(bytes, upTo: 8)
            guard gathered.count == 8 else { return (.part, count) }
            let byteCount = gathered.reversed().reduce(0) { $0 << 8 | UInt64($1) }
            gathered.removeAll(keepingCapacity: true)
            if byteCount == 0 { throw APIFormatError(member: nil, "a description has no bytes") }
            state = .info(byteCount: byteCount)
            return (.infoByteCount(byteCount), count)
        case .info(let byteCount):
            let count = gather(bytes, upTo: byteCount)
            guard UInt64(gathered.count) == byteCount else { return (.part, count) }
            let info = try UploadPathNarInfo(json: gathered)
            gathered.removeAll(keepingCapacity: true)
            state = info.narSize == 0 ? .length : .nar(left: UInt64(info.narSize))
            return (.info(info), count)
        case .nar(let left):
            let count = min(left, UInt64(bytes.count))
            state = count == left ? .length : .nar(left: left - count)
            return (.nar(isLast: count == left), Int(count))
        }
    }

    private mutating func gather(_ bytes: Span<UInt8>, upTo byteCount: UInt64) -> Int {
        let count = Int(min(byteCount - UInt64(gathered.count), UInt64(bytes.count)))
        let front = bytes.extracting(first: count)
        for index in front.indices { gathered.append(front[index]) }
        return count
    }
}

extension UploadPathNarInfo {
    /// What stands before the path's NAR in the body of several paths: the description, and its length before it.
    package func announcement() -> [UInt8] {
        let json = json()
        let length = UInt64(json.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + json
    }
}
