/// How far a file may be sent without waiting for the disk: a loop that waits for a disk lets all its connections wait.
///
/// A file is looked at window by window. What is in memory is sent; what is not is read by a reader first. A file of which a
/// window was missing is read one window ahead from then on, while the one before is sent, so that the disk and the network
/// work at the same time. Pure: it says what to do, and is told what came of it. Offsets are of the file.
///
///     probe -> send …                        in memory
///     probe -> read -> wait -> send …        not in memory
///                                probe -> read …   the next window, while this one is sent
struct FileWindow {
    enum Step: Equatable {
        /// So many bytes from the beginning of the rest can be sent.
        case send(Int64)
        /// Ask whether these are in memory, and tell `probed`.
        case probe(Range<Int64>)
        /// Have these read, and tell `wasRead` when they are. There is more to do meanwhile, perhaps.
        case read(Range<Int64>)
        /// Nothing until `wasRead`.
        case wait
    }

    let windowBytes: Int64
    /// What lies before it is in memory.
    private var end: Int64 = 0
    /// The window that was asked for, and is not there.
    private var missing: Range<Int64>?
    /// The window that a reader is at.
    private var reading: Range<Int64>?
    /// Some of the file was missing.
    private var isCold = false
    /// What was in memory may not be there any more.
    private var isDoubted = false

    init(windowBytes: Int64) {
        precondition(windowBytes > 0, "a window has bytes")
        self.windowBytes = windowBytes
    }

    /// What to do next.
    ///
    /// - Parameter rest: what is still to be sent of the file's part; not empty.
    mutating func next(_ rest: Range<Int64>) -> Step {
        if let missing {
            self.missing = nil
            reading = missing
            return .read(missing)
        }
        let known = max(end, rest.lowerBound)
        if isDoubted && reading == nil && known > rest.lowerBound { return .probe(rest.lowerBound..<min(known, rest.upperBound)) }
        if reading == nil && known < rest.upperBound {
            let isAhead = isCold && known - rest.lowerBound <= windowBytes
            if known == rest.lowerBound || isAhead { return .probe(known..<min(known + windowBytes, rest.upperBound)) }
        }
        return known > rest.lowerBound ? .send(min(known, rest.upperBound) - rest.lowerBound) : .wait
    }

    /// What a probe of the window that `next` named has found.
    mutating func probed(_ window: Range<Int64>, isInMemory: Bool) {
        isDoubted = false
        if isInMemory {
            end = max(end, window.upperBound)
        } else {
            end = window.lowerBound
            missing = window
            isCold = true
        }
    }

    /// The reader is done.
    mutating func wasRead() {
        guard let window = reading else { return }
        end = window.upperBound
        reading = nil
    }

    /// The client takes its time, in which memory may be used for something else: looks again before more is sent.
    mutating func doubt() { isDoubted = true }

    /// Another part of a file comes next.
    mutating func restart() { (end, missing, reading, isDoubted) = (0, nil, nil, false) }
}
