/// What an answer rests on, where that can be taken back while the answer is being sent.
package protocol Permit: AnyObject, Sendable {
    /// Whether the answer may go on; where not, its connection is broken off. Asked before each stretch that is sent, and when
    /// `Server.permitsChanged` says so.
    ///
    /// Thread: loop; it must not block.
    var holds: Bool { get }
}
