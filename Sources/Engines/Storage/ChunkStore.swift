import HTTP
import Platform

// The contract of a storage backend.
//
// Chunks live in packs: files (or objects) of stored chunks, one after another and nothing else. The store does
// not know what lies in a pack; the database does. What holds for every backend:
//
// - A pack is only ever appended to, by one writer at a time. The bytes below a committed end never change, except
//   that dead extents may be punched out; they then read as zeros and nobody asks for them.
// - A pack that is an object is written once, by one writer, and is there when that has made it durable.
// - Bytes first, rows second: a writer's bytes are durable after `makeDurable`, then the caller commits the rows
//   that name them, then `giveBack`. Whatever a crash leaves behind is bytes that no row names; the next start
//   cuts them off.
// - A missing pack counts as removed and a missing extent as punched, so collection never stops at damage.
// - Removing a pack and appending to it exclude each other, also between processes. For objects it is the caller's rows that
//   see to it: `PackJournal`, and a grace period between the last row and the removal.

/// Keeps stored chunks in packs. Shared between threads; every call may block on the disk or the network.
package protocol ChunkStore: AnyObject, Sendable {
    /// What a pack is here.
    var packKind: PackKind { get }

    /// Begins an upload: a writer that has a pack to itself from its first append on. Where the caller already
    /// knows that nothing is new, no pack is touched at all.
    func borrowPack() throws(StorageError) -> any PackWriter

    /// The pack open for reading, from a bounded cache, with its size as it is now; of an object, as it is or was when it was
    /// asked for last.
    ///
    /// - Throws: `.missing` where the pack is not there.
    func openPack(_ name: PackName) throws(StorageError) -> OpenPack

    /// Packs open for reading, as `openPack` opens each; those that have to be asked for are asked for beside one another.
    ///
    /// - Throws: as `openPack` does, for one of them.
    func openPacks(_ names: [PackName]) throws(StorageError) -> [OpenPack]

    /// A URL under which anyone can ask the service that keeps the pack for all of it, or a range, for a while; nil where there is no
    /// such service. It holds no secret but itself. That the pack is there was seen a minute ago at most.
    ///
    /// - Parameters:
    ///   - pack: all of it.
    ///   - method: what it is asked with; it is good for nothing else.
    ///   - seconds: how long it holds, from now on; a week at most.
    /// - Throws: `.missing` where the pack is not there, `.short` where it is shorter.
    func presignedURL(of pack: Extent, method: HTTP.Method, seconds: Int) throws(StorageError) -> String?

    /// Exactly the bytes of an extent.
    ///
    /// - Throws: `.missing` where the pack is not there, `.short` where it ends too early.
    func read(_ extent: Extent) throws(StorageError) -> [UInt8]

    /// Hands out the bytes of extents, one after another, in pieces of a few mebibytes at most; what comes next is read meanwhile,
    /// where that is worth it.
    ///
    /// - Throws: as `read` does, when the bytes before have been handed out; and whatever `take` throws.
    func read(_ extents: [Extent], _ take: (UnsafeRawBufferPointer) throws -> Void) throws

    /// Gives the space of dead extents back; they read as zeros afterwards, neighbours stay as they are. Every
    /// extent is tried, and extents that touch are punched as one. An extent in a missing pack counts as punched.
    ///
    /// - Throws: the first failure, after all were tried (punching again does no harm): `.unsupported` where the
    ///   file system has no holes, so that the caller can count the bytes as dead and go on.
    func punch(_ extents: [Extent]) throws(StorageError)

    /// Removes a pack that nothing lives in. A missing pack counts as removed.
    ///
    /// - Parameter ifStill: asks, while no writer can have the pack, whether it is still dead. A writer may have
    ///   committed chunks into it since the caller last looked.
    /// - Returns: false where a writer has the pack or `ifStill` said no; the pack is then as it was.
    /// - Throws: `.checkFailed` where `ifStill` threw.
    func removePack(_ name: PackName, ifStill: () throws -> Bool) throws(StorageError) -> Bool

    /// Removes a pack, whatever its writer had come to with it; the caller's rows say that nobody has it. A missing pack counts as
    /// removed.
    func discard(_ name: PackName) throws(StorageError)

    /// All packs there are, sorted; also those that no row names.
    func packNames() throws(StorageError) -> [PackName]

    /// The pack's size; nil where it is not there.
    func packByteCount(_ name: PackName) throws(StorageError) -> Int64?

    /// Cuts a pack off at `byteCount`; a shorter one stays as it is.
    ///
    /// - Returns: false where a writer has the pack.
    /// - Throws: `.missing` where the pack is not there.
    func truncatePack(_ name: PackName, to byteCount: Int64) throws(StorageError) -> Bool

    /// Where the pack is, for people: a path.
    func location(of name: PackName) -> String

    /// Calls `look` with the pack's size while no writer can have it: whoever had it before has committed, or given up.
    ///
    /// - Parameter look: gives the size to cut the pack to, nil to leave it as it is.
    /// - Returns: false where a writer has the pack, or it is not there; `look` was not called.
    /// - Throws: `.checkFailed` where `look` threw.
    func lookAtIdlePack(_ name: PackName, _ look: (Int64) throws -> Int64?) throws(StorageError) -> Bool

    /// What lies in the store and is neither a pack nor the store's own.
    func otherFiles() throws(StorageError) -> OtherFiles

    /// Removes one of `OtherFiles.temporaries`.
    func removeTemporary(_ path: String) throws(StorageError)

    /// Asks the storage something small that it has to look for: whether it is there at all.
    ///
    /// - Throws: what it answered.
    func ping() throws(StorageError)

    /// Lets go of packs that another process removed and that are still open here: only then is their space free.
    /// For upkeep, now and then; how many there were.
    @discardableResult
    func releaseRemovedFiles() -> Int
}

extension ChunkStore {
    package func openPacks(_ names: [PackName]) throws(StorageError) -> [OpenPack] {
        var opened: [OpenPack] = []
        for name in names { opened.append(try openPack(name)) }
        return opened
    }

    package func presignedURL(of pack: Extent, method: HTTP.Method, seconds: Int) throws(StorageError) -> String? { nil }
}

/// An upload's hold on the packs it appends to.
///
/// Thread: one at a time. It ends with `giveBack`, `abandon` or `leave`; one that is dropped without any abandons, so an
/// upload that fails anywhere leaves nothing behind.
package protocol PackWriter: AnyObject {
    /// Appends one stored chunk, which is never empty, to the current pack; to another one where that is full.
    ///
    /// - Throws: `.full` and `.system`. The writer can still be abandoned, or given back with what it has.
    func append(_ bytes: UnsafeRawBufferPointer) throws(StorageError) -> Extent

    /// The bytes of an extent, also of one that this writer has just appended.
    ///
    /// - Throws: as `ChunkStore.read` does.
    func read(_ extent: Extent) throws(StorageError) -> [UInt8]

    /// Returns when everything appended so far survives a power cut: bytes and names.
    func makeDurable() throws(StorageError)

    /// The packs that have bytes of this writer, in the order of their first append, as the database must know
    /// them: the end of the last append, and whether the pack has reached its full size.
    var packs: [WrittenPack] { get }

    /// Keeps the bytes. Packs that are not sealed can be borrowed again.
    func giveBack()

    /// Cuts every pack back to where this writer began. Never after rows that name the bytes were committed, nor
    /// where that is in doubt: then `leave`.
    func abandon()

    /// Keeps the bytes, and has nothing appended behind them: whether rows name them is in doubt. The next start
    /// finds out, and cuts off what no row names.
    func leave()
}

/// Files in a store that nobody asks for, as paths.
package struct OtherFiles: Hashable, Sendable {
    /// Leftovers of writes that a crash interrupted.
    package var temporaries: [String] = []
    /// None of ours.
    package var strangers: [String] = []

    package init() {}
}

/// A pack as a writer leaves it.
package struct WrittenPack: Hashable, Sendable {
    package let name: PackName
    /// Where it ends now.
    package let byteCount: Int64
    /// Where its writer began: below lies what others wrote.
    package let beginByteCount: Int64
    /// Nothing is appended to it any more.
    package let isSealed: Bool
    /// Its journal had its name before its bytes: the commit takes it out of there.
    package let isLoose: Bool

    package init(name: PackName, byteCount: Int64, beginByteCount: Int64 = 0, isSealed: Bool, isLoose: Bool = false) {
        self.name = name
        self.byteCount = byteCount
        self.beginByteCount = beginByteCount
        self.isSealed = isSealed
        self.isLoose = isLoose
    }
}

/// A pack open for reading.
package struct OpenPack: Sendable {
    package let name: PackName
    /// What `sendfile` takes; it stays readable when the pack is removed meanwhile. Nil for an object, which is read by ranges.
    package let file: OpenFile?
    /// The size when it was asked for; a file grows while a writer has the pack.
    package let byteCount: Int64
}

/// What the packs of a store are.
package enum PackKind: Sendable, Hashable {
    /// Files: appended to by one upload after another, punched, and readable to the end by whoever has them open.
    case file
    /// Objects: written once, neither appended to nor punched nor cut, and gone for all when they are removed.
    case object
}
