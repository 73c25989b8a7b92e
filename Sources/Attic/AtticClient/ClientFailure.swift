import Platform

/// Why a command could not do what it was told: one sentence for the person, what to do about it, and which kind it is
/// (which decides the exit code).
package struct ClientFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        /// The command line or the configuration cannot be meant so.
        case usage
        /// The server refused: no token, a bad one, or one without the permission.
        case notPermitted
        /// Nobody answers there.
        case unreachable
        /// Some paths were pushed, others not.
        case partly
        /// Anything else.
        case failed
    }

    package let kind: Kind
    /// What was tried, on what, and why it did not work; one line.
    package let message: String
    /// What to do; nil where there is nothing to say.
    package let advice: String?

    /// What servers and files said stands in both, and is shown on a terminal: of control characters nothing is left in them.
    package init(_ kind: Kind, _ message: String, advice: String? = nil) {
        self.kind = kind
        self.message = message.escapingControls()
        self.advice = advice?.escapingControls()
    }

    /// What the system said, as a failure.
    package init(_ error: SystemError) { self.init(.failed, error.description) }

    package var description: String { advice.map { "\(message)\n   \($0)" } ?? message }
}
