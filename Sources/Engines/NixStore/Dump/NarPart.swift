import Platform

/// Some entries of a tree, next to one another in its NAR, as a walk found them: what stands around the files is there, and
/// the files and links are named. Whoever has it reads them (`NarBlock`), on any thread.
struct NarPart: Sendable {
    /// A file or a link, behind the tokens up to `tokenEnd`.
    struct Item: Sendable {
        let tokenEnd: Int
        let source: Source
    }

    enum Source: Sendable {
        /// The root, opened already.
        case root(OpenFile)
        /// Names begin at these places of `names`; directories are indices into `directories`.
        case file(name: Int, directory: Int)
        case link(name: Int, directory: Int)
    }

    struct Directory: Sendable {
        let file: OpenFile
        let place: NarPlace
    }

    /// Bytes of the NAR: those before each item, and behind the last.
    var tokens: [UInt8] = []
    /// Names of items, each with a NUL behind it.
    var names: [UInt8] = []
    var items: [Item] = []
    var directories: [Directory] = []

    /// An empty one, with room for the entries that most parts of so many items have.
    init(itemsMax: Int) {
        tokens.reserveCapacity(itemsMax * 256)
        names.reserveCapacity(itemsMax * 32)
        items.reserveCapacity(itemsMax)
    }

    /// The path of an item, for errors.
    func path(of item: Item) -> String {
        switch item.source {
        case .root: return directories.first?.place.path ?? ""
        case .file(let name, let directory), .link(let name, let directory):
            let bytes = names[name...].prefix { $0 != 0 }
            return directories[directory].place.path + "/" + String(decoding: bytes, as: UTF8.self)
        }
    }
}

/// Where a directory of a tree is: put together as a path only when an error needs it.
final class NarPlace: Sendable {
    private let parent: NarPlace?
    /// Of the root the whole path.
    private let name: String

    init(_ name: String, in parent: NarPlace?) {
        self.name = name
        self.parent = parent
    }

    var path: String { parent.map { $0.path + "/" + name } ?? name }
}
