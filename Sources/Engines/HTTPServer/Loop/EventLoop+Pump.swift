import HTTP
import Logging
import Platform

/// How one connection goes on: bytes in and out, as far as the socket, the machine and its turn allow.
extension EventLoop {
    // MARK: Events

    /// The socket has become readable or writable, or has broken.
    mutating func ready(_ connection: inout Connection, _ event: Epoll.Event) {
        if event.isBroken { return lose(&connection) }
        if event.isReadable { connection.isReadable = true }
        if event.isWritable { connection.isWritable = true }
        if event.isHalfClosed {
            connection.isReadable = true
            connection.isHalfClosed = true
        }
        if !connection.isRunnable { pump(&connection) }
    }

    /// A handler has answered.
    mutating func replied(_ connection: inout Connection, _ response: Response) {
        reply(&connection, response)
        pump(&connection)
    }

    /// A handler reads the body for the first time.
    mutating func bodyWanted(_ connection: inout Connection) {
        askForBody(&connection)
        pump(&connection)
    }

    /// The connection's deadline has passed.
    mutating func expire(_ connection: inout Connection) {
        if connection.sender.waitsToBegin {
            refuseStream(&connection, overload.response)
            return pump(&connection)
        }
        let action = connection.machine.expired()
        perform(action, &connection)
        if !connection.isClosed { pump(&connection) }
    }

    // MARK: The pump

    /// Goes on with a connection as far as it goes without waiting, and within its turn.
    mutating func pump(_ connection: inout Connection) {
        var budget = limits.turnBytesMax
        var hasSent = false
        var hasReceived = false
        while !connection.isClosed {
            if budget <= 0 {
                if !connection.isRunnable {
                    connection.isRunnable = true
                    runnable.append(connection.cookie)
                }
                break
            }
            let before = budget
            if connection.sender.isBusy && connection.isWritable && !connection.sender.isWaiting {
                send(&connection, &budget)
                if budget < before { hasSent = true }
            } else if !useKept(&connection) {
                if !receive(&connection, &budget) {
                    guard connection.exchange?.waiting != nil, connection.bodyRoom == 0 else { break }
                    // More of a body than is awaited, in chunks: its handler is to say so.
                    submitWaiting(&connection)
                }
                if budget < before { hasReceived = true }
            }
        }
        if connection.isClosed { return }
        if let kept = connection.kept, kept.bytes.isEmpty {
            connection.kept = nil
            pool.giveBack(kept)
        }
        holdBack(&connection)
        if connection.isClosed { return }
        updateDeadline(&connection, hasSent: hasSent, hasReceived: hasReceived)
    }

    /// While a body's pipe is full the kernel need not tell of what comes: a fast client would wake the loop for every segment.
    private mutating func holdBack(_ connection: inout Connection) {
        let isHeldBack = connection.machine.plainBodyBytes(bodyRoom: .max) > 0 && connection.bodyRoom == 0
        guard isHeldBack != connection.isHeldBack else { return }
        do throws(Errno) {
            try context.epoll.change(
                connection.socket, isHeldBack ? [.halfClosed, .write, .edge] : [.read, .write, .edge],
                cookie: connection.cookie.rawValue)
            connection.isHeldBack = isHeldBack
        } catch {
            context.shared.log.debug("A connection's interest cannot be changed: \(error)")
            // Told of too much it can live with; told of nothing it would wait for ever.
            if !isHeldBack { close(&connection) }
        }
    }

    private mutating func send(_ connection: inout Connection, _ budget: inout Int) {
        if let permit = connection.exchange?.permit, !permit.holds { return breakOff(&connection) }
        var sent = 0
        let outcome = connection.sender.send(
            to: connection.socket, disk: context.shared.disk, byteCountMax: budget, sent: &sent)
        budget -= sent
        connection.exchange?.sentByteCount += Int64(sent)
        switch outcome {
        case .done:
            if connection.exchange?.status != nil { finishReply(&connection) }
        case .blocked: connection.isWritable = false
        case .read(let extent, let following): read(extent, following: following, for: &connection)
        case .waitsForDisk, .waitsForProducer: break
        case .budgetSpent: budget = 0
        case .failed(let cause):
            context.shared.log.debug("A connection broke while it was sent to: \(cause)")
            close(&connection)
        case .fileLost(let part, let cause):
            let id = connection.exchange.map { "\($0.id)" } ?? ""
            let what = cause.map { "A file cannot be read (\($0))" } ?? "A file ended before its extent did"
            context.shared.log.error("\(what); the answer \(id) is broken off")
            if let head = connection.exchange?.head { tellLoss(of: part, for: head) }
            breakOff(&connection)
        case .producerFailed where !connection.sender.hasBegun:
            refuseStream(&connection, (connection.exchange?.instead ?? OtherAnswer()).response)
        case .producerFailed: breakOff(&connection)
        }
    }

    /// Has the handler find out what is lost, which takes the disk and the database.
    private func tellLoss(of part: FileExtent, for head: RequestHead) {
        let handler = context.shared.handler
        // Where it is not taken, the next who asks for the same finds it so again.
        _ = context.shared.readers.submit { handler.couldNotSend(part, for: head) }
    }

    /// Breaks off an answer that waits for its client, or for the disk, and may not go on: it may be long before that is asked
    /// again.
    mutating func checkPermit(_ connection: inout Connection) {
        if connection.exchange?.permit?.holds == false { breakOff(&connection) }
    }

    /// Ends a connection within an answer. Its length was promised, or it is chunked, or ends with the connection: a close in good
    /// order could pass for the whole.
    private mutating func breakOff(_ connection: inout Connection) {
        connection.socket.resetOnClose()
        close(&connection)
    }

    /// Has a part of a file read, which goes on beside the connection.
    private func read(_ extent: FileExtent, following: ArraySlice<FileExtent>, for connection: inout Connection) {
        let (cookie, mailbox, disk) = (connection.cookie, context.mailbox, context.shared.disk)
        let isTaken = context.shared.readers.submit {
            disk.read(extent, following: following)
            mailbox.post(.fileRead(cookie))
        }
        // The server is being stopped: what is left is sent, however long that takes.
        if !isTaken { connection.sender.fileWasRead() }
    }

    /// A part of a file that an answer needs next is in memory.
    mutating func fileRead(_ connection: inout Connection) {
        connection.sender.fileWasRead()
        if !connection.isRunnable { pump(&connection) }
    }

    private mutating func finishReply(_ connection: inout Connection) {
        record(connection, isComplete: true)
        endExchange(&connection)
        switch connection.machine.replySent() {
        case .next: break
        case .linger: connection.socket.shutdownWriting()
        case .close: close(&connection)
        }
    }

    private func sentByteCount(_ connection: borrowing Connection) -> Int64 { connection.exchange?.sentByteCount ?? 0 }

    /// Bytes of an answer that are progress: where it holds nothing but its connection, each.
    private func sentBytesMin(_ connection: borrowing Connection) -> Int64 {
        let holdsMore = connection.sender.isStream || connection.exchange?.heldByteCount ?? 0 > 0
        return holdsMore ? limits.writeProgressBytes : 1
    }

    /// Sets the deadline that belongs to what the connection waits for now.
    mutating func updateDeadline(_ connection: inout Connection, hasSent: Bool, hasReceived: Bool) {
        let slot = Int(connection.cookie.slot)
        let room = connection.bodyRoom
        // A client is not late while the disk or a producer is; but an answer that has not begun does not wait for ever.
        let waiting: DeadlineClass? = connection.sender.waitsToBegin ? .streamStart : nil
        guard let kind = connection.sender.isWaiting ? waiting : connection.machine.deadline(bodyRoom: room) else {
            return deadlines.remove(slot)
        }
        let request = connection.machine.requestCount
        let isNew = deadlines.kind(of: slot) != kind || connection.deadlineRequest != request
        let isMoved = switch kind {
        case .bodyProgress: hasReceived && connection.machine.bodyByteCount - connection.deadlineByteCounts.received >= limits.bodyProgressBytes
        case .writeProgress: hasSent && sentByteCount(connection) - connection.deadlineByteCounts.sent >= sentBytesMin(connection)
        case .idle, .head, .shortBody, .streamStart, .linger: false
        }
        guard isNew || isMoved else { return }
        connection.deadlineRequest = request
        connection.deadlineByteCounts = (connection.machine.bodyByteCount, sentByteCount(connection))
        deadlines.set(slot, kind, now: now)
    }
}
