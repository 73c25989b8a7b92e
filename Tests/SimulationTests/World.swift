import Database
import Logging
import Storage

@testable import AtticServer

/// What a server of the simulation stands on: a database and a storage, and what a crash leaves of them.
protocol World: AnyObject, Sendable {
    /// Names database and storage.
    var configuration: Configuration { get }

    /// Opens both as a server that starts does, and puts in order what a crash left.
    func open(_ stage: Stage, log: Logger) throws -> (catalog: Catalog, store: any ChunkStore)

    /// The same world as a crash at this very moment leaves it; nothing else runs meanwhile.
    ///
    /// - Parameter isPowerCut: what was not made durable is lost.
    func crashed(isPowerCut: Bool, _ dice: inout Dice, _ stage: Stage) throws -> any World

    /// Bytes that nothing names, in a sentence; nil where there are none.
    ///
    /// - Parameter living: where chunks lie, by pack.
    func strayBytes(beside living: [String: [Range<Int64>]]) throws -> String?
}
