import HTTP
import Logging
import Platform

/// How one connection goes on: bytes in and out, as far as the socket, the machine and its turn allow.
extension EventLoop {
    // MARK: Events

    /// The socket has become readable or writable, or has broken.
    mutating func ready(_ connection: inout Connection, _ event: Epoll.Event) {
        if event.isBroken { return close(&connection) }
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
        if connection.machine.bodyWanted() {
            connection.sender.add(head: Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), body: .empty)
        }
        pump(&connection)
    }

    /// The connection's deadline has passed.
    mutating func expire(_ connection: inout Connection) {
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
            if connection.sender.isBusy && connection.isWritable && !connection.sender.waitsForDisk {
                send(&connection, &budget)
                if budget < before { hasSent = true }
            } else if !useKept(&connection) {
                if !receive(&connection, &budget) { break }
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
        case .waitsForDisk: break
        case .budgetSpent: budget = 0
        case .failed(let cause):
            context.shared.log.debug("A connection broke while it was sent to: \(cause)")
            close(&connection)
        case .fileTooShort:
            let id = connection.exchange.map { "\($0.id)" } ?? ""
            context.shared.log.error("A file ended before its extent did; the answer \(id) is broken off")
            // The length was promised: a close in good order after fewer bytes could pass for the whole.
            connection.socket.resetOnClose()
            close(&connection)
        }
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
        connection.exchange = nil
        switch connection.machine.replySent() {
        case .next: break
        case .linger: connection.socket.shutdownWriting()
        case .close: close(&connection)
        }
    }

    /// Sets the deadline that belongs to what the connection waits for now.
    mutating func updateDeadline(_ connection: inout Connection, hasSent: Bool, hasReceived: Bool) {
        let slot = Int(connection.cookie.slot)
        let room = connection.bodyRoom
        // A client is not late while the disk is.
        if connection.sender.waitsForDisk { return deadlines.remove(slot) }
        guard let kind = connection.machine.deadline(bodyRoom: room) else { return deadlines.remove(slot) }
        let request = connection.machine.requestCount
        let isNew = deadlines.kind(of: slot) != kind || connection.deadlineRequest != request
        let isMoved = kind == .bodyProgress && hasReceived || kind == .writeProgress && hasSent
        guard isNew || isMoved else { return }
        connection.deadlineRequest = request
        deadlines.set(slot, kind, now: now)
    }

    // MARK: What comes in

    /// Shows the machine what was kept; whether that led anywhere.
    private mutating func useKept(_ connection: inout Connection) -> Bool {
        guard let kept = connection.kept else {
            return unsafe advance(&connection, UnsafeRawBufferPointer(start: nil, count: 0)).isMoving
        }
        let result = unsafe advance(&connection, kept.bytes.bytes)
        // A connection that was closed meanwhile has given its buffer back.
        if !connection.isClosed { kept.bytes.take(result.consumed) }
        return result.isMoving
    }

    /// Reads once, where the machine wants bytes and there may be some; whether that led anywhere.
    private mutating func receive(_ connection: inout Connection, _ budget: inout Int) -> Bool {
        guard connection.isReadable else { return false }
        let room = connection.bodyRoom
        guard connection.machine.wantsBytes(bodyRoom: room) else { return false }
        if let kept = connection.kept {
            // Something waits for what comes behind it, so both must stand together.
            kept.bytes.compact()
            // A full one waited for room in a pipe, and the handler has just made some: it is looked at again.
            if kept.bytes.roomByteCount == 0 { return true }
            guard let count = unsafe read(&connection, kept.bytes.room, &budget) else { return false }
            if connection.isClosed { return false }
            kept.bytes.commit(count)
            return true
        }
        let direct = connection.machine.plainBodyBytes(bodyRoom: room)
        if direct > 0, let pipe = connection.exchange?.pipe { return receiveBody(&connection, pipe, atMost: direct, &budget) }
        // What cannot be used at once must fit into a buffer of the pool: even of a body all may have to be kept, where it
        // turns out to end, or to be malformed, in its first bytes.
        scratch.clear()
        let buffer = unsafe UnsafeMutableRawBufferPointer(rebasing: scratch.room.prefix(pool.bufferBytes))
        guard let count = unsafe read(&connection, buffer, &budget) else { return false }
        scratch.commit(count)
        let result = unsafe advance(&connection, scratch.bytes)
        if result.consumed < count && !connection.isClosed {
            let kept = pool.take()
            scratch.take(result.consumed)
            let taken = unsafe kept.bytes.append(scratch.bytes)
            precondition(taken == scratch.byteCount, "more was read than can be kept")
            connection.kept = kept
        }
        return true
    }

    /// Reads bytes that can only belong to the body into the very memory that its handler finds them in; whether that led
    /// anywhere.
    private mutating func receiveBody(
        _ connection: inout Connection, _ pipe: BytePipe<RequestBodyError>, atMost byteCountMax: Int, _ budget: inout Int
    ) -> Bool {
        let most = min(byteCountMax, max(budget, 1))
        var hasRead = false
        let count = unsafe pipe.fill(atMost: most) { room in
            guard let count = unsafe read(&connection, room, &budget) else { return 0 }
            hasRead = true
            return count
        }
        guard let count, hasRead else { return false }
        // An end or a failure of the connection has been told to the machine already.
        if count > 0 { connection.machine.tookBody(count) }
        return true
    }

    /// Reads into `buffer`; nil where nothing came.
    private mutating func read(
        _ connection: inout Connection, _ buffer: UnsafeMutableRawBufferPointer, _ budget: inout Int
    ) -> Int? {
        do throws(Errno) {
            guard let count = try unsafe connection.socket.receive(into: buffer) else {
                connection.isReadable = false
                return nil
            }
            if count == 0 {
                connection.isReadable = false
                let action = connection.machine.peerClosed()
                perform(action, &connection)
                return 0
            }
            budget -= count
            // epoll(7): a read that was not filled has emptied the socket. The end of the stream may stand behind it.
            if count < buffer.count && !connection.isHalfClosed { connection.isReadable = false }
            return count
        } catch {
            close(&connection)
            return nil
        }
    }

    /// Shows bytes to the machine and does what it says, until it has nothing more to say.
    private mutating func advance(
        _ connection: inout Connection, _ bytes: UnsafeRawBufferPointer
    ) -> (consumed: Int, isMoving: Bool) {
        var consumed = 0
        var isMoving = false
        while !connection.isClosed {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[consumed...])
            let step = unsafe connection.machine.received(rest, bodyRoom: connection.bodyRoom, space: &headSpace)
            consumed += step.consumed
            if case .body(let range) = step.action {
                let taken = unsafe connection.exchange?.pipe?.write(UnsafeRawBufferPointer(rebasing: rest[range]))
                precondition(taken == range.count, "a pipe took less than it had room for")
            } else if case .wait = step.action {
                if step.consumed == 0 { break }
            } else {
                perform(step.action, &connection)
            }
            isMoving = true
        }
        return (consumed, isMoving)
    }
}
