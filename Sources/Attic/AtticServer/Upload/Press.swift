import Compression
import Crypto
import Platform

/// The threads that hash and compress chunks: one a core, each with a compressor of its own.
package final class Press: Sendable {
    /// What a job works with; belongs to the thread that runs it.
    package struct Tools: ~Copyable {
        let compressor: Compressor
        /// Of the same kind.
        let decompressor: Decompressor
        var sha256 = SHA256()
    }

    package typealias Job = @Sendable (inout Tools) -> Void

    private struct Queue {
        /// A job that was taken leaves nil: under load the queue is never empty, and what a done job holds must go.
        var jobs: [Job?] = []
        /// Where the oldest job stands in `jobs`; those before it are done.
        var first = 0
        var isClosed = false
        var threads: [ThreadHandle] = []

        mutating func take() -> Job? {
            guard first < jobs.count else { return nil }
            let job = jobs[first].take()
            first += 1
            if first == jobs.count {
                jobs.removeAll(keepingCapacity: true)
                first = 0
            } else if first >= 64 && first * 2 >= jobs.count {
                jobs.removeFirst(first)
                first = 0
            }
            return job
        }
    }

    /// Without threads each job is run at once, by whoever submits it: always in the same order.
    private let isInline: Bool
    private let kind: CompressionKind
    private let level: Int32
    private let queue = Monitor(Queue())
    private let lent = Monitor(0)
    private let lentMax: Int

    /// - Parameter threadCount: 0 for a press that must do the same each time: it works on the threads of its callers.
    package init(threadCount: Int, kind: CompressionKind, level: Int32) {
        isInline = threadCount == 0
        self.kind = kind
        self.level = level
        lentMax = 2 * threadCount
        for number in 0..<threadCount {
            let thread = ThreadHandle(named: "press-\(number)") { [queue] in
                Press.run(queue, kind: kind, level: level)
            }
            queue.update { $0.threads.append(thread) }
        }
    }

    /// Queues a job. Uploads bound how many they have under way, so the queue is bounded by the uploads.
    package func submit(_ job: @escaping Job) {
        if isInline {
            var tools = Tools(compressor: Compressor(kind, level: level), decompressor: Decompressor(kind))
            return job(&tools)
        }
        queue.update { queue in
            precondition(!queue.isClosed, "nothing is pressed after the press was closed")
            queue.jobs.append(job)
        }
    }

    /// Lends an upload one more batch than each may have under way, where not all are lent: the kernel may let the thread that
    /// cuts wait for some milliseconds, and no press thread should run out of work meanwhile. All uploads share these, so
    /// that memory does not grow with their number.
    func lendBatch() -> Bool {
        lent.withLock { lent in
            guard lent < lentMax else { return false }
            lent += 1
            return true
        }
    }

    /// A batch that was lent is done.
    func takeBackBatch() { lent.withLock { $0 -= 1 } }

    /// Runs what is queued, then ends the threads.
    package func close() {
        let threads = queue.update { queue in
            queue.isClosed = true
            return queue.threads
        }
        for thread in threads { thread.join() }
    }

    private static func run(_ queue: Monitor<Queue>, kind: CompressionKind, level: Int32) {
        var tools = Tools(compressor: Compressor(kind, level: level), decompressor: Decompressor(kind))
        while true {
            // Optional of optional: the outer says whether to go on waiting, the inner whether there will be more.
            let job = queue.wait { queue -> Job?? in
                if let job = queue.take() { return .some(job) }
                return queue.isClosed ? .some(nil) : nil
            }
            guard let job else { return }
            job(&tools)
        }
    }
}
