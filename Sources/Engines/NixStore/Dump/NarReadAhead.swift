import Platform

/// Threads that walk through a tree and read its small files ahead of whoever sends its NAR: on a cold file system most of a dump's
/// time is waiting for one file after another, and on a warm one the calls that open and read are a core's work.
///
/// They take turns at the walk, so its order is kept by numbers, and read beside one another. What has been read and is not
/// taken yet is bounded: `stretchesMax` blocks of memory.
///
/// Thread: `next` and `stop` by the one that sends.
final class NarReadAhead: Sendable {
    /// What they take turns at.
    private struct Walk {
        let tree: NarTreeWalk
        var count = 0
        var hasEnded = false
    }

    /// How far both sides are, in stretches.
    private struct Places {
        var begun = 0
        var sent = 0
        /// What those who wait for room know of `sent`.
        var told = 0
        var isStopped = false
    }

    /// What was read, by number.
    private struct Ready {
        var assemblies: [Int: Result<NarAssembly, NarDumpError>] = [:]
        var taken = 0
        /// How many there are; nil as long as nobody knows.
        var count: Int?
    }

    /// What a thread got when it was its turn.
    private enum Turn: Sendable {
        case stretch(Int, NarStretch)
        case failure(Int, NarDumpError)
        case end(count: Int)
        /// Another thread has come to the end.
        case over
    }

    private let walk: Monitor<Walk>
    private let places = Monitor(Places())
    private let ready = Monitor(Ready())
    private let blocks: ByteBlockPool
    private let threads = Monitor<[ThreadHandle]>([])

    /// Contents of files in one stretch that is read ahead, in bytes.
    private static let contentBytesMax = 128 << 10
    /// Stretches that are read, or being read, and not sent: a few for each thread.
    private static let stretchesMax = 12
    /// Files and directories of those that are open at most.
    static let openFilesMax = stretchesMax * (NarAssembly.stretchDirectoriesMax + NarAssembly.openLargeFilesMax)
    /// Room is told in pieces of so many stretches: one wake-up for all of them.
    private static let stretchesAtOnce = 4

    /// Starts the threads.
    init(root: String, threadCount: Int) {
        precondition(threadCount > 0, "somebody reads")
        walk = Monitor(Walk(tree: NarTreeWalk(root: root)))
        blocks = ByteBlockPool(
            blockByteCount: NarAssembly.blockByteCount(contentBytesMax: Self.contentBytesMax, items: NarAssembly.stretchItemsMax),
            keptMax: Self.stretchesMax)
        for number in 0..<threadCount {
            let thread = ThreadHandle(named: "read-\(number)") { [self] in work() }
            threads.peek { $0.append(thread) }
        }
    }

    /// The next stretch of the NAR, waited for; nil behind the last. It is given back when it was sent.
    func next() throws(NarDumpError) -> NarAssembly? {
        let next: Result<NarAssembly, NarDumpError>? = ready.wait { ready in
            if let assembly = ready.assemblies.removeValue(forKey: ready.taken) {
                ready.taken += 1
                return .some(assembly)
            }
            guard let count = ready.count, ready.taken >= count else { return nil }
            return .some(nil)
        }
        return try next?.get()
    }

    /// Takes back the memory of a stretch.
    func giveBack(_ assembly: NarAssembly) {
        blocks.giveBack(assembly.block)
        let isTold = places.peek { places in
            places.sent += 1
            guard places.sent % Self.stretchesAtOnce == 0 else { return false }
            places.told = places.sent
            return true
        }
        if isTold { places.update { _ in } }
    }

    /// Ends the threads, whether all was read or not.
    func stop() {
        places.update { $0.isStopped = true }
        for thread in threads.peek({ $0 }) { thread.join() }
    }

    private func work() {
        while true {
            let mayBegin = places.wait { places -> Bool? in
                if places.isStopped { return false }
                guard places.begun - places.told < Self.stretchesMax else { return nil }
                places.begun += 1
                return true
            }
            guard mayBegin else { return }
            switch takeTurn() {
            case .stretch(let number, let stretch):
                var assembly = NarAssembly(contentBytesMax: Self.contentBytesMax, block: blocks.take())
                do throws(NarDumpError) {
                    try assembly.append(stretch)
                    bring(.success(assembly), number)
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

    private func takeTurn() -> Turn {
        walk.peek { walk in
            if walk.hasEnded { return .over }
            let number = walk.count
            do throws(NarDumpError) {
                guard let stretch = try walk.tree.next(itemsMax: NarAssembly.stretchItemsMax) else {
                    walk.hasEnded = true
                    return .end(count: number)
                }
                walk.count += 1
                return .stretch(number, stretch)
            } catch {
                walk.hasEnded = true
                return .failure(number, error)
            }
        }
    }

    /// Wakes the one that sends only where it waits for this.
    private func bring(_ assembly: Result<NarAssembly, NarDumpError>, _ number: Int) {
        let isAwaited = ready.peek { ready in
            ready.assemblies[number] = assembly
            return number == ready.taken
        }
        if isAwaited { ready.update { _ in } }
    }
}
