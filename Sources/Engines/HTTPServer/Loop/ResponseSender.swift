import Platform

/// What goes out over one connection: bytes first, then parts of files, or what a producer makes, in order, as far as the
/// socket takes them.
struct ResponseSender {
    /// How far one attempt came.
    enum Outcome {
        /// Everything is with the kernel.
        case done
        /// The socket takes no more for now.
        case blocked
        /// As much was sent as was allowed; there is more.
        case budgetSpent
        /// Have this part of a file read, and tell `fileWasRead` when it is; and send on, there may be something meanwhile.
        case read(FileExtent, following: ArraySlice<FileExtent>)
        /// What comes next is being read.
        case waitsForDisk
        /// What comes next has not been made yet.
        case waitsForProducer
        /// The connection is broken.
        case failed(Errno)
        /// A file ended before its extent did, or this part of it cannot be read: what was promised cannot be sent.
        case fileLost(FileExtent, Errno?)
        /// The producer has failed, and says so itself: what was promised cannot be sent.
        case producerFailed
    }

    private var head: [UInt8] = []
    private var bytes: [UInt8] = []
    /// Bytes of head and bytes, taken as one, that have been sent.
    private var offset = 0
    private var extents: [FileExtent] = []
    private var extentIndex = 0
    private var extentOffset: Int64 = 0
    private var window: FileWindow
    private var outlet: ByteOutlet?
    /// Whether something was sent of an answer whose body is a stream.
    private(set) var hasBegun = false

    init(fileWindowBytes: Int64) { window = FileWindow(windowBytes: fileWindowBytes) }

    /// Up to here, in bytes, a body is copied behind its head: cheaper than telling the kernel of two pieces.
    private static let joinedBytesMax = 2048

    /// Whether a body stands in one piece with its head.
    static func isJoined(_ body: ResponseBody) -> Bool {
        guard case .bytes(let bytes) = body else { return false }
        return bytes.count <= joinedBytesMax
    }

    /// Whether there is anything to send.
    private(set) var isBusy = false
    /// Whether nothing can be sent before `fileWasRead`.
    private(set) var waitsForDisk = false
    /// Whether nothing can be sent before `producerHasMore`.
    private(set) var waitsForProducer = false

    var isWaiting: Bool { waitsForDisk || waitsForProducer }
    /// Whether it waits for a producer, and nothing of the answer has been sent.
    var waitsToBegin: Bool { waitsForProducer && !hasBegun }
    /// Whether a producer makes what is sent.
    var isStream: Bool { outlet != nil }

    /// Adds a head, or an interim answer, and the bytes or files behind it, or what comes out of the outlet where it is a
    /// stream. Files and streams come last: nothing can be added while some are under way.
    mutating func add(head added: consuming [UInt8], body: ResponseBody, outlet stream: ByteOutlet? = nil) {
        precondition(extents.isEmpty && bytes.isEmpty && outlet == nil, "an answer was added to one that is being sent")
        isBusy = true
        if head.isEmpty { head = added } else { head += added }
        switch body {
        case .empty: break
        case .bytes(let added): bytes = added
        case .files(let added, _): extents = added
        case .stream: outlet = stream
        }
    }

    /// Sends what the socket takes.
    ///
    /// - Parameters:
    ///   - disk: says what is in memory.
    ///   - byteCountMax: at most so much, give or take the head.
    ///   - sent: is counted up by the bytes sent.
    mutating func send(to socket: borrowing FileDescriptor, disk: any Disk, byteCountMax: Int, sent: inout Int) -> Outcome {
        let limit = sent + byteCountMax
        if let outcome = beginStream() { return outcome }
        do throws(Errno) {
            if let outcome = try sendBytes(to: socket, limit: limit, sent: &sent) { return outcome }
            if let outcome = try sendFiles(to: socket, disk: disk, limit: limit, sent: &sent) { return outcome }
            if let outcome = try sendStream(to: socket, limit: limit, sent: &sent) { return outcome }
        } catch { return .failed(error) }
        self = ResponseSender(fileWindowBytes: window.windowBytes)
        return .done
    }

    /// The part of a file that `read` named is in memory.
    mutating func fileWasRead() {
        window.wasRead()
        waitsForDisk = false
    }

    /// There is more of the stream, or its end.
    mutating func producerHasMore() { waitsForProducer = false }

    /// Nothing more will be sent: whoever makes bytes for it need not go on.
    func abandon() { outlet?.abandon() }

    // MARK: The steps of `send`: each gives nil where what it is for has been sent, or is not there

    /// Holds the head of a stream back until there is something behind it.
    ///
    /// The head leaves with the first bytes: a producer may never begin, and then something else is said. What stands before the head
    /// (`100 Continue`) is finished where it was begun.
    private mutating func beginStream() -> Outcome? {
        guard let outlet, !hasBegun else { return nil }
        switch offset > 0 ? .bytes(taken: 0) : unsafe outlet.take(atMost: 1, { _ in 0 }) {
        case .nothing:
            waitsForProducer = true
            return .waitsForProducer
        case .failure: return .producerFailed
        case .bytes, .end:
            hasBegun = true
            return nil
        }
    }

    /// Sends the head and the bytes in memory.
    private mutating func sendBytes(
        to socket: borrowing FileDescriptor, limit: Int, sent: inout Int
    ) throws(Errno) -> Outcome? {
        while offset < head.count + bytes.count {
            // In turns, as files: who takes as fast as it is sent would otherwise be sent all of it in one call, and nobody
            // else be served, nor a permit be asked again, before its end.
            if sent >= limit && offset >= head.count { return .budgetSpent }
            guard let count = try sendBytesOnce(to: socket, atMost: max(limit - sent, 0)) else { return .blocked }
            offset += count
            sent += count
        }
        return nil
    }

    /// Sends what is left of the head, and of the bytes behind it at most `byteCountMax`.
    private func sendBytesOnce(to socket: borrowing FileDescriptor, atMost byteCountMax: Int) throws(Errno) -> Int? {
        let headOffset = min(offset, head.count)
        let bytesOffset = offset - headOffset
        return try unsafe head.span.withUnsafeBytes { head throws(Errno) in
            try unsafe bytes.span.withUnsafeBytes { bytes throws(Errno) in
                let first = unsafe UnsafeRawBufferPointer(rebasing: head[headOffset...])
                let second = unsafe UnsafeRawBufferPointer(rebasing: bytes[bytesOffset...].prefix(byteCountMax))
                // The head waits for the first bytes of the file, so that both leave in one packet.
                if unsafe second.isEmpty { return try unsafe socket.send(first, more: hasFileBytes) }
                if unsafe first.isEmpty { return try unsafe socket.send(second, more: false) }
                return try unsafe socket.send(first, second)
            }
        }
    }

    /// Sends the parts of files that are in memory, up to the first that has to be read.
    private mutating func sendFiles(
        to socket: borrowing FileDescriptor, disk: any Disk, limit: Int, sent: inout Int
    ) throws(Errno) -> Outcome? {
        while extentIndex < extents.count {
            if sent >= limit { return .budgetSpent }
            let extent = extents[extentIndex]
            if extentOffset == extent.byteCount {
                extentIndex += 1
                extentOffset = 0
                window.restart()
                continue
            }
            let rest = extent.offset + extentOffset..<extent.offset + extent.byteCount
            switch window.next(rest) {
            case .probe(let range):
                window.probed(range, isInMemory: disk.isInMemory(extent.part(range)))
            case .read(let range):
                return .read(extent.part(range), following: extents[(extentIndex + 1)...].prefix(Self.followingMax))
            case .wait:
                waitsForDisk = true
                return .waitsForDisk
            case .send(let count):
                let most = min(count, Int64(limit - sent))
                if let outcome = try sendFile(extent, rest, atMost: most, to: socket, sent: &sent) { return outcome }
            }
        }
        return nil
    }

    /// Has the kernel send from the front of what is left of an extent.
    private mutating func sendFile(
        _ extent: FileExtent, _ rest: Range<Int64>, atMost byteCountMax: Int64, to socket: borrowing FileDescriptor, sent: inout Int
    ) throws(Errno) -> Outcome? {
        let taken: Int?
        do throws(Errno) {
            taken = try socket.sendFile(extent.file.descriptor, at: rest.lowerBound, byteCount: Int(byteCountMax))
        } catch where error == .inputOutput {
            // sendfile(2): "Unspecified error while reading from in_fd"; all others are the socket's.
            return .fileLost(extent.part(rest.lowerBound..<rest.lowerBound + byteCountMax), error)
        }
        guard let taken else {
            window.doubt()
            return .blocked
        }
        if taken == 0 { return .fileLost(extent.part(rest), nil) }
        sent += taken
        extentOffset += Int64(taken)
        return nil
    }

    /// Sends what a producer has made until now.
    private mutating func sendStream(
        to socket: borrowing FileDescriptor, limit: Int, sent: inout Int
    ) throws(Errno) -> Outcome? {
        while let outlet {
            if sent >= limit { return .budgetSpent }
            let found = try unsafe outlet.take(atMost: limit - sent) { bytes throws(Errno) in
                try unsafe socket.send(bytes, more: false) ?? 0
            }
            switch found {
            case .bytes(taken: 0): return .blocked
            case .bytes(let taken): sent += taken
            case .nothing:
                waitsForProducer = true
                return .waitsForProducer
            case .end: self.outlet = nil
            case .failure: return .producerFailed
            }
        }
        return nil
    }

    /// Extents behind the one that is missing of which a reader is told; in a NAR of many small pieces the disk goes on with them.
    private static let followingMax = 8

    private var hasFileBytes: Bool { extents.contains { $0.byteCount > 0 } }
}

extension FileExtent {
    /// The part of the extent that lies there in the file.
    fileprivate func part(_ range: Range<Int64>) -> FileExtent {
        FileExtent(file: file, offset: range.lowerBound, byteCount: Int64(range.count))
    }
}
