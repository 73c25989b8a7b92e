import HTTP
import Platform

extension S3ChunkStore {
    package func openPack(_ name: PackName) throws(StorageError) -> OpenPack {
        if let known = sizes.find(name) { return OpenPack(name: name, file: nil, byteCount: known) }
        guard let byteCount = try packByteCount(name) else { throw StorageError("open", location(of: name), .missing(name)) }
        return OpenPack(name: name, file: nil, byteCount: byteCount)
    }

    /// As `ChunkStore.openPacks`: sizes that are not known are asked for beside one another, as many at once as ranges are read ahead of
    /// one client.
    package func openPacks(_ names: [PackName]) throws(StorageError) -> [OpenPack] {
        let unknown = names.filter { sizes.find($0) == nil }
        if unknown.count > 1 { try askSizes(unknown) }
        var opened: [OpenPack] = []
        for name in names { opened.append(try openPack(name)) }
        return opened
    }

    /// Asks for the sizes of packs, and keeps them; of those that are not there nothing is kept.
    ///
    /// - Throws: what the first of them met; then not all were asked for.
    private func askSizes(_ names: [PackName]) throws(StorageError) {
        let sizing = Sizing(names)
        let ask: @Sendable () -> Void = { [ranges] in
            while let name = sizing.next() {
                do throws(StorageError) {
                    _ = try ranges.packByteCount(name)
                    sizing.answered()
                } catch { sizing.failed(error) }
            }
        }
        // Where all workers are busy, and as many wait, this thread asks alone; one that comes late finds nothing to do.
        for _ in 1..<min(names.count, max(2, client.limits.readAheadRangesMax)) { _ = workers.submit(ask) }
        ask()
        try sizing.wait()
    }

    package func presignedURL(of pack: Extent, method: HTTP.Method, seconds: Int) throws(StorageError) -> String? {
        if !sizes.isKnown(pack.pack, since: client.limits.sightTime) { _ = try packByteCount(pack.pack) }
        try check(pack)
        // Bytes behind it would be sent along.
        guard try openPack(pack.pack).byteCount == pack.byteCount else { return nil }
        return client.presignedURL(of: S3ChunkStore.key(of: pack.pack), method: method, seconds: seconds)
    }

    package func read(_ extent: Extent) throws(StorageError) -> [UInt8] {
        try check(extent)
        return try ranges.fetch(extent) { true } ?? []
    }

    /// Checked before the memory is asked for: a damaged row may name any length.
    private func check(_ extent: Extent) throws(StorageError) {
        let pack = try openPack(extent.pack)
        let available = max(0, min(extent.byteCount, pack.byteCount - extent.offset))
        if available != extent.byteCount { throw StorageError("read", location(of: extent.pack), .short(extent, found: available)) }
    }

    /// As `ChunkStore.read`, ranges ahead of the taker on other threads: as many bytes as one taker may have, while all of them
    /// together have no more than their share. What may not be read ahead is read when it is its turn.
    package func read(_ extents: [Extent], _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        for extent in extents { try check(extent) }
        let pieces = extents.flatMap { $0.pieces(ofAtMost: Int64(client.limits.rangeBytes)) }
        let ahead = Ahead()
        defer { ranges.giveBack(ahead.end()) }
        var next = 0
        for (index, piece) in pieces.enumerated() {
            next = max(next, index)
            while next < pieces.count, begin(pieces[next], number: next, ahead) { next += 1 }
            let bytes: [UInt8]
            if next > index {
                let (result, byteCount) = ahead.take(index)
                ranges.giveBack(byteCount)
                bytes = try result.get()
            } else {
                bytes = try ranges.fetch(piece) { true } ?? []
            }
            try unsafe bytes.withUnsafeBytes { try unsafe take($0) }
        }
    }

    /// Has a piece read on another thread, where there is room for it.
    private func begin(_ piece: Extent, number: Int, _ ahead: Ahead) -> Bool {
        guard ranges.takeBudget(piece.byteCount) else { return false }
        let limits = client.limits
        guard ahead.begin(number, byteCount: piece.byteCount, bytesMax: limits.readAheadBytes, countMax: limits.readAheadRangesMax) else {
            ranges.giveBack(piece.byteCount)
            return false
        }
        let isTaken = workers.submit { [ranges] in
            let result: Result<[UInt8], StorageError>
            do throws(StorageError) {
                result = .success(try ranges.fetch(piece) { ahead.isWanted } ?? [])
            } catch { result = .failure(error) }
            if !ahead.bring(result, number: number) { ranges.giveBack(piece.byteCount) }
        }
        if !isTaken {
            ahead.forget(number)
            ranges.giveBack(piece.byteCount)
        }
        return isTaken
    }
}

/// Reads ranges of packs, asks for their sizes, and counts how many bytes may still be read ahead. Thread: any.
struct S3Ranges: Sendable {
    let client: S3Client
    let sizes: PackSizes
    /// Bytes that may still be read ahead, of all readers together.
    let budget: Monitor<Int64>

    func takeBudget(_ byteCount: Int64) -> Bool {
        budget.withLock { left in
            if left < byteCount { return false }
            left -= byteCount
            return true
        }
    }

    func giveBack(_ byteCount: Int64) { budget.update { $0 += byteCount } }

    /// Asks for the size of a pack, and keeps it where the pack is there; nil where it is not.
    func packByteCount(_ name: PackName) throws(StorageError) -> Int64? {
        let byteCount = try client.byteCount(of: S3ChunkStore.key(of: name))
        if let byteCount { sizes.keep(byteCount, of: name) } else { sizes.drop(name) }
        return byteCount
    }

    /// One range; nil where nobody wants it any more.
    func fetch(_ extent: Extent, while isWanted: @escaping () -> Bool) throws(StorageError) -> [UInt8]? {
        do throws(StorageError) {
            return try client.read(extent, key: S3ChunkStore.key(of: extent.pack), while: isWanted)
        } catch {
            // It is not as it was: the next who asks is told before the answer begins.
            if error.saysBytesAreLost { sizes.drop(extent.pack) }
            throw error
        }
    }
}

/// Packs whose sizes several threads ask for. Thread: any of them.
private final class Sizing: Sendable {
    private struct State {
        /// Those that nobody asks for yet.
        var left: ArraySlice<PackName>
        var unansweredCount: Int
        var failure: StorageError?
    }

    private let state: Monitor<State>

    init(_ names: [PackName]) { state = Monitor(State(left: names[...], unansweredCount: names.count)) }

    /// One that nobody asks for yet; nil where there is none, or the bucket has failed.
    func next() -> PackName? { state.withLock { $0.failure == nil ? $0.left.popFirst() : nil } }

    func answered() { state.update { $0.unansweredCount -= 1 } }

    func failed(_ error: StorageError) { state.update { $0.failure = $0.failure ?? error } }

    /// Waits until all are answered, or one has failed.
    func wait() throws(StorageError) {
        let result: Result<Void, StorageError> = state.wait { state in
            if let failure = state.failure { return .failure(failure) }
            return state.unansweredCount == 0 ? .success(()) : nil
        }
        try result.get()
    }
}

/// What is read ahead for one taker. Thread: the taker's, and those that read for it.
private final class Ahead: Sendable {
    private struct State {
        /// Under way or ready: bytes that they were asked for, by number.
        var byteCounts: [Int: Int64] = [:]
        var byteCount: Int64 = 0
        var ready: [Int: Result<[UInt8], StorageError>] = [:]
        var isWanted = true

        mutating func remove(_ number: Int) -> Int64 {
            let removed = byteCounts.removeValue(forKey: number) ?? 0
            byteCount -= removed
            return removed
        }
    }

    private let state = Monitor(State())

    var isWanted: Bool { state.withLock { $0.isWanted } }

    /// Whether one more may be under way; it is then.
    func begin(_ number: Int, byteCount: Int64, bytesMax: Int64, countMax: Int) -> Bool {
        state.withLock { state in
            let isFirst = state.byteCounts.isEmpty
            guard isFirst || state.byteCounts.count < countMax && state.byteCount + byteCount <= bytesMax else { return false }
            state.byteCounts[number] = byteCount
            state.byteCount += byteCount
            return true
        }
    }

    /// It is not under way after all.
    func forget(_ number: Int) { state.withLock { _ = $0.remove(number) } }

    /// False where nobody waits for it any more: its bytes are the bringer's to give back.
    func bring(_ result: Result<[UInt8], StorageError>, number: Int) -> Bool {
        state.update { state in
            if state.isWanted { state.ready[number] = result }
            return state.isWanted
        }
    }

    /// Waits for a piece, and takes it.
    func take(_ number: Int) -> (result: Result<[UInt8], StorageError>, byteCount: Int64) {
        state.wait { state in
            guard let result = state.ready.removeValue(forKey: number) else { return nil }
            return (result, state.remove(number))
        }
    }

    /// Nobody takes any more.
    ///
    /// - Returns: the bytes of what was ready.
    func end() -> Int64 {
        state.withLock { state in
            state.isWanted = false
            let left = state.ready.keys.reduce(0) { $0 + (state.byteCounts[$1] ?? 0) }
            state.ready = [:]
            return left
        }
    }
}
