import HTTP
import Platform

/// What comes in over one connection: heads and coded bodies by way of the machine, plain bodies straight into their
/// handler's pipe. What cannot be used yet is kept.
extension EventLoop {
    /// Shows the machine what was kept; whether that led anywhere.
    mutating func useKept(_ connection: inout Connection) -> Bool {
        guard let kept = connection.kept else {
            return unsafe advance(&connection, UnsafeRawBufferPointer(start: nil, count: 0)).isMoving
        }
        let result = unsafe advance(&connection, kept.bytes.bytes)
        // A connection that was closed meanwhile has given its buffer back.
        if !connection.isClosed { kept.bytes.take(result.consumed) }
        return result.isMoving
    }

    /// Reads once, where the machine wants bytes and there may be some; whether that led anywhere.
    mutating func receive(_ connection: inout Connection, _ budget: inout Int) -> Bool {
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
        // Even of a body all may have to be kept, where it turns out to end, or to be malformed, in its first bytes: so this is
        // no larger than a buffer of the pool.
        scratch.clear()
        guard let count = unsafe read(&connection, scratch.room, &budget) else { return false }
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
            lose(&connection)
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
