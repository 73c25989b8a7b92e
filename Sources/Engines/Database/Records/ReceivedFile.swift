import Crypto
import Platform

/// A NAR's file as plain Nix pushed it to a cache, to be noted.
package struct NewReceivedFile: Sendable, Hashable {
    package var cacheID: Int64
    /// Of the bytes as they came.
    package var fileHash: SHA256Digest
    package var fileSize: Int64
    /// The word of narinfo: `xz`, `none`.
    package var coding: String
    package var receivedAt: WallTime
    /// Until then its NAR is kept, whether or not an object comes to name it.
    package var heldUntil: WallTime

    package init(
        cacheID: Int64, fileHash: SHA256Digest, fileSize: Int64, coding: String, receivedAt: WallTime, heldUntil: WallTime
    ) {
        self.cacheID = cacheID
        self.fileHash = fileHash
        self.fileSize = fileSize
        self.coding = coding
        self.receivedAt = receivedAt
        self.heldUntil = heldUntil
    }
}

/// A file that plain Nix pushed to a cache and that the cache still has: by an object that names its NAR, or for the narinfo
/// that is to come.
package struct ReceivedFile: Sendable, Hashable {
    package let coding: String
    package let nar: NarRecord
    /// An object of the cache that names the NAR; nil while none does.
    package let objectID: Int64?
}
