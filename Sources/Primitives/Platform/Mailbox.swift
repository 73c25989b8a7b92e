import CLinux
import Glibc

/// Messages from any thread into one that sleeps in an epoll.
///
/// The owner watches `descriptor` for reading; it becomes ready when there is mail. Posting never blocks and never
/// fails. Only the first message into an empty box costs a system call.
package final class Mailbox<Message: Sendable>: Sendable {
    private let messages = Monitor<[Message]>([])
    /// The eventfd that is readable while there is mail.
    package let descriptor: FileDescriptor

    package init() throws(SystemError) {
        descriptor = FileDescriptor(owning: try attempt("make", "an eventfd") { clinux_eventfd() })
    }

    /// Puts a message in. Thread: any.
    package func post(_ message: Message) {
        let wasEmpty = messages.withLock { box in
            box.append(message)
            return box.count == 1
        }
        if wasEmpty { ring() }
    }

    /// Takes everything that is in the box, oldest first. Thread: the owner.
    ///
    /// - Parameter spent: an array whose memory the box may go on with, so that two arrays take turns.
    package func drain(reusing spent: consuming [Message] = []) -> [Message] {
        // The bell first: a message that arrives in between rings again, and at worst one turn finds the box empty.
        var count: UInt64 = 0
        _ = unsafe read(descriptor.rawValue, &count, 8)
        var taken = spent
        taken.removeAll(keepingCapacity: true)
        messages.withLock { box in swap(&box, &taken) }
        return taken
    }

    private func ring() {
        var one: UInt64 = 1
        // eventfd(2): a write fails only where the counter is full, and then the bell rings already.
        _ = unsafe write(descriptor.rawValue, &one, 8)
    }
}
