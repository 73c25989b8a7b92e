/// Where a store of objects writes down the names of packs that no row names yet: what a crash leaves in a bucket is found there,
/// and who takes a name out of it decides what becomes of the pack.
///
/// The commit of an upload takes its packs out, and fails where they are not there. Thread: any; calls may block.
package protocol PackJournal: AnyObject, Sendable {
    /// Writes the name down, so that it survives a power cut; the writer has it for a day from now.
    ///
    /// - Throws: a `StorageError` as it is to be told; anything else counts as `.checkFailed`.
    func begin(_ name: PackName) throws

    /// The writer has it for another day. What fails is tried with the next part.
    func renew(_ name: PackName)

    /// Nothing is in the bucket under that name any more.
    func forget(_ name: PackName)

    /// Whether any pack is named: then there is a bucket that has them.
    func namesPacks() throws -> Bool
}
