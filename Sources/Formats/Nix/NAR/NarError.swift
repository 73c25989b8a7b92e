import Encoding

/// Why bytes are not a NAR, and at which of them that showed.
package struct NarError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The offset in the NAR of the string, number or padding that is wrong.
    package let offset: Int64
    package let reason: Reason

    package enum Reason: Hashable, Sendable {
        /// The bytes do not begin as a NAR does.
        case notANar
        /// Another keyword stands where one of these may.
        case unexpectedWord(String, expected: String)
        /// A string is longer than anything that may stand there.
        case stringTooLong(byteCount: UInt64, max: Int)
        /// A file says that it is larger than a signed 64-bit number.
        case fileTooLarge
        /// A byte between a string and the next multiple of 8 is not zero.
        case paddingNotZero
        /// An entry's name is empty, `.`, `..`, or holds a slash or a NUL.
        case invalidName(String)
        /// An entry's name does not come after the one before it, by its bytes.
        case notSorted(String, after: String)
        /// A symbolic link's target is empty or holds a NUL.
        case invalidTarget(String)
        /// More directories within one another than the reader takes.
        case tooDeep(max: Int)
        /// Bytes follow the end of the NAR.
        case trailingBytes
        /// The bytes stop before the NAR does.
        case truncated
    }

    package init(offset: Int64, reason: Reason) {
        self.offset = offset
        self.reason = reason
    }

    /// `the NAR is malformed at byte 24: expected the word "(", found "["`
    package var description: String {
        let sentence = switch reason {
        case .notANar: "this is not a Nix archive"
        case .unexpectedWord(let word, let expected): "expected \(expected), found \(quoted(word))"
        case .stringTooLong(let byteCount, let max): "a string of \(byteCount) bytes where at most \(max) may stand"
        case .fileTooLarge: "a file's size does not fit in 63 bits"
        case .paddingNotZero: "padding that is not zero"
        case .invalidName(let name): "\(quoted(name)) cannot be a file's name"
        case .notSorted(let name, let previous):
            "the name \(quoted(name)) does not sort after \(quoted(previous))"
        case .invalidTarget(let target): "\(quoted(target)) cannot be a symbolic link's target"
        case .tooDeep(let max): "more than \(max) directories within one another"
        case .trailingBytes: "bytes after its end"
        case .truncated: "it ends too early"
        }
        return "the NAR is malformed at byte \(offset): \(sentence)"
    }
}
