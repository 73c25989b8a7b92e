import Platform

/// Threads that walk through a tree and read its small files ahead of whoever sends its NAR: on a cold file system most of a dump's
/// time is waiting for one file after another, and on a warm one the calls that open and read are a core's work.
///
/// They take turns at the walk, so its order is kept by numbers, and read beside one another. What has been read and is not
/// taken yet is bounded: `partsMax` blocks.
///
/// Thread: `next` and `stop` by the one that sends.
final class NarReadAhead: Sendable {
    /// What they take turns at.
    private struct Walk {
        let tree: NarTreeWalk
        var count = 0
        var hasEnded = false
        /// What the files were like lately, in bytes: as many go into a part as will have room.
        var meanFileBytes = 8 << 10

        var itemsMax: Int {
            min(max(NarReadAhead.contentBytesMax * 3 / 4 / max(meanFileBytes, 1), NarReadAhead.itemsMin), NarBlock.partItemsMax)
        }
    }

    /// What a thread read last.
    private struct Sample {
        let fileBytes: Int
        let fileCount: Int
    }

    /// How far both sides are, in parts.
    private struct Progress {
        var begun = 0
        var sent = 0
        /// What those who wait for room know of `sent`.
        var told = 0
        var isStopped = false
    }

    /// What was read, by number.
    private struct Ready {
        var blocks: [Int: Result<NarBlock, NarDumpError>] = [:]
        var taken = 0
        /// How many there are; nil as long as nobody knows.
        var count: Int?
    }

    /// What a thread got when it was its turn.
    private enum Turn: Sendable {
        case part(Int, NarPart)
        case failure(Int, NarDumpError)
        case end(count: Int)
        /// Another thread has come to the end.
        case over
    }

    private let walk: Monitor<Walk>
    private let progress = Monitor(Progress())
    private let ready = Monitor(Ready())
    private let rooms: ByteBlockPool
    private let threads = Monitor<[ThreadHandle]>([])

    /// Contents of files in one part that is read ahead, in bytes.
    private static let contentBytesMax = 256 << 10
    /// Entries of a part at least, if they are there.
    private static let itemsMin = 4
    /// Parts that are read, or being read, and not sent: a few for each thread.
    private static let partsMax = 12
    /// Files and directories of those that are open at most, the one that is being sent with them, and one file for each thread.
    static let openFilesMax =
        (partsMax + 1) * (NarBlock.partDirectoriesMax + NarBlock.openLargeFilesMax) + threadsMax
    /// Threads at most.
    static let threadsMax = 8
    /// Room is told in pieces of so many parts: one wake-up for all of them.
    private static let partsAtOnce = 4

    /// Starts the threads.
    init(root: String, threadCount: Int) {
        precondition((1...Self.threadsMax).contains(threadCount), "somebody reads, and not too many")
        walk = Monitor(Walk(tree: NarTreeWalk(root: root)))
        rooms = ByteBlockPool(
            blockByteCount: NarBlock.roomByteCount(contentBytesMax: Self.contentBytesMax, items: NarBlock.partItemsMax),
            keptMax: Self.partsMax)
        for number in 0..<threadCount {
            let thread = ThreadHandle(named: "read-\(number)") { [self] in work() }
            threads.withLock { $0.append(thread) }
        }
    }

    /// The next part of the NAR, waited for; nil behind the last. It is given back when it was sent.
    func next() throws(NarDumpError) -> NarBlock? {
        let next: Result<NarBlock, NarDumpError>? = ready.wait { ready in
            if let block = ready.blocks.removeValue(forKey: ready.taken) {
                ready.taken += 1
                return .some(block)
            }
            guard let count = ready.count, ready.taken >= count else { return nil }
            return .some(nil)
        }
        return try next?.get()
    }

    /// Takes back the memory of a part.
    func giveBack(_ block: NarBlock) {
        rooms.giveBack(block.room)
        let isTold = progress.withLock { progress in
            progress.sent += 1
            guard progress.sent % Self.partsAtOnce == 0 else { return false }
            progress.told = progress.sent
            return true
        }
        if isTold { progress.wakeAll() }
    }

    /// Ends the threads, whether all was read or not.
    func stop() {
        progress.update { $0.isStopped = true }
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    private func work() {
        var last: Sample?
        while true {
            let mayBegin = progress.wait { progress -> Bool? in
                if progress.isStopped { return false }
                guard progress.begun - progress.told < Self.partsMax else { return nil }
                progress.begun += 1
                return true
            }
            guard mayBegin else { return }
            switch takeTurn(last) {
            case .part(let number, let part):
                var block = NarBlock(contentBytesMax: Self.contentBytesMax, room: rooms.take())
                do throws(NarDumpError) {
                    try block.append(part)
                    last = Sample(fileBytes: block.smallFileBytes, fileCount: part.items.count)
                    bring(.success(block), number)
                } catch { bring(.failure(error), number) }
            case .failure(let number, let error):
                bring(.failure(error), number)
                return
            case .end(let count):
                ready.update { $0.count = count }
                return
            case .over:
                return
            }
        }
    }

    private func takeTurn(_ last: Sample?) -> Turn {
        walk.withLock { walk in
            if walk.hasEnded { return .over }
            if let last, last.fileCount > 0 { walk.meanFileBytes = (3 * walk.meanFileBytes + last.fileBytes / last.fileCount) / 4 }
            let number = walk.count
            do throws(NarDumpError) {
                guard let part = try walk.tree.next(itemsMax: walk.itemsMax) else {
                    walk.hasEnded = true
                    return .end(count: number)
                }
                walk.count += 1
                return .part(number, part)
            } catch {
                walk.hasEnded = true
                return .failure(number, error)
            }
        }
    }

    /// Wakes the one that sends only where it waits for this.
    private func bring(_ block: Result<NarBlock, NarDumpError>, _ number: Int) {
        let isAwaited = ready.withLock { ready in
            ready.blocks[number] = block
            return number == ready.taken
        }
        if isAwaited { ready.wakeAll() }
    }
}
