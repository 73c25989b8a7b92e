import Platform

extension StorageError {
    /// What an error says of the stored bytes that were asked for.
    package enum Fate: Hashable, Sendable {
        /// They are lost: their pack is not there.
        case missing(PackName)
        /// They are lost: their pack ends before they do, and only `found` of them are there.
        case short(PackName, found: Int64)
        /// They are where they should be, and the disk cannot read them (EIO).
        case unreadable(Errno)
        /// It says nothing of them: what failed is something else, and they may be whole.
        case unknown

        /// The pack that has lost bytes; nil where none is known to have.
        package var losingPack: PackName? {
            switch self {
            case .missing(let pack), .short(let pack, _): pack
            case .unreadable, .unknown: nil
            }
        }
    }

    /// What became of the bytes that were asked for.
    ///
    /// *Lost* are those that the store says it has not: that does not pass by itself, and is no accident of this one try. What the
    /// disk cannot read (EIO) may come back, so it is told apart. It counts as lost only for who has to do without the bytes now
    /// (a push that stores them anew) or has just read them to judge them (a check of contents); a copy, or who only asks for
    /// sizes, fails by it and may be tried again.
    package var fate: Fate {
        switch cause {
        case .missing(let pack): .missing(pack)
        case .short(let extent, let found): .short(extent.pack, found: found)
        case .system(let error): error.errno == .inputOutput ? .unreadable(error.errno) : .unknown
        case .full, .unsupported, .inUse, .unknownVersion, .unreachable, .refused, .checkFailed: .unknown
        }
    }

    /// Whether the bytes that were asked for are lost; false where the disk cannot read them.
    package var saysBytesAreLost: Bool { fate.losingPack != nil }
}
