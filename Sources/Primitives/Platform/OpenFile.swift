/// An open file that several owners share; closed when the last of them lets go.
///
/// Reads at offsets need no position, so threads may share it. It is never written through.
package final class OpenFile: Sendable {
    package let descriptor: FileDescriptor

    package init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}
