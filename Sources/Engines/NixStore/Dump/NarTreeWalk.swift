import Glibc
import Nix
import Platform

/// Walks a tree in the order of its NAR, part by part: lists directories, and leaves files and links to whoever gets the
/// part (`NarPart`).
///
/// Thread: one at a time. Nothing recurses: open directories are a stack, and so are their names (`NameArena`). Of a
/// deep tree only the last directories stay open, so that it does not run out of descriptors; the way back up is `..`,
/// checked by device and inode.
@safe final class NarTreeWalk {
    /// A directory that is being walked through.
    private struct Level {
        var directory: OpenFile?
        let place: NarPlace
        let mark: NameArena.Mark
        /// Index of the entry that comes next.
        var next: Int
        /// Its place in the part's list of directories; nil where it is not there yet.
        var listed: Int?
        /// Device and inode, once it was closed for those within it.
        var identity: (device: UInt64, inode: UInt64)?
    }

    /// Directories that are kept open while those within them are walked through.
    static let openLevelCountMax = 64

    private let root: String
    private let listing: UnsafeMutableRawBufferPointer
    private let arena = NameArena()
    private var levels: [Level] = []
    private var part = NarPart(itemsMax: 1)
    private var hasBegun = false
    /// What comes behind the part that was given last.
    private var failure: NarDumpError?

    init(root: String) {
        self.root = root
        unsafe listing = .allocate(byteCount: 64 << 10, alignment: 8)
    }

    deinit { unsafe listing.deallocate() }

    /// The next part, of at most so many files and links; nil behind the last.
    func next(itemsMax: Int) throws(NarDumpError) -> NarPart? {
        if let failure { throw failure }
        do throws(NarDumpError) { try walk(itemsMax) } catch {
            // What was found before it is read first: it may have an error of its own.
            if part.items.isEmpty { throw error }
            failure = error
        }
        if part.tokens.isEmpty { return nil }
        let taken = part
        part = NarPart(itemsMax: itemsMax)
        for index in levels.indices { levels[index].listed = nil }
        return taken
    }

    private func walk(_ itemsMax: Int) throws(NarDumpError) {
        if !hasBegun {
            hasBegun = true
            try begin()
        }
        while let level = levels.last, part.items.count < itemsMax, part.directories.count < NarBlock.partDirectoriesMax,
            part.tokens.count < NarBlock.partTokenBytesMax / 2
        {
            if level.next < arena.entries.count { try take(arena.entries[level.next], of: level) } else { try leave() }
        }
    }

    private func begin() throws(NarDumpError) {
        part.tokens += NarTokens.magic
        let status: FileStatus
        do throws(SystemError) { status = try File.linkStatus(root) } catch { throw .system(error) }
        let place = NarPlace(root, in: nil)
        switch status.kind {
        case .regular:
            let file = OpenFile(try openRoot(.read))
            part.directories.append(NarPart.Directory(file: file, place: place))
            part.items.append(NarPart.Item(tokenEnd: part.tokens.count, source: .root(file)))
        case .symbolicLink:
            do throws(SystemError) {
                let target = try File.linkTarget(root)
                part.tokens += NarTokens.symbolicLink
                NarTokens.append(Array(target.utf8), to: &part.tokens)
                part.tokens += NarTokens.close
            } catch { throw .system(error) }
        case .directory:
            try enter(try openRoot(.directory), place)
        case .other:
            throw unsupported(root)
        }
    }

    private func openRoot(_ access: File.Access) throws(NarDumpError) -> FileDescriptor {
        do throws(SystemError) { return try File.open(root, access) } catch { throw .system(error) }
    }

    /// Takes the next entry of the innermost directory.
    private func take(_ entry: NameArena.Entry, of level: Level) throws(NarDumpError) {
        levels[levels.count - 1].next += 1
        guard let directory = level.directory else { preconditionFailure("the innermost directory is always open") }
        part.tokens += NarTokens.entry
        unsafe NarTokens.append(arena.nameBytes(entry), to: &part.tokens)
        part.tokens += NarTokens.node
        switch try kind(of: entry, in: directory) {
        case UInt32(S_IFREG):
            addItem(entry) { .file(name: $0, directory: $1) }
        case UInt32(S_IFLNK):
            addItem(entry) { .link(name: $0, directory: $1) }
        case UInt32(S_IFDIR):
            let place = NarPlace(arena.text(entry), in: level.place)
            let descriptor: FileDescriptor
            do throws(Errno) { descriptor = try unsafe directory.descriptor.openDirectory(named: arena.name(entry)) } catch {
                throw NarDumpError(opening: place.path, error)
            }
            try enter(descriptor, place)
        default:
            throw unsupported(NarPlace(arena.text(entry), in: level.place).path)
        }
    }

    /// The file type bits: from the listing, or asked for where the file system left them out.
    private func kind(of entry: NameArena.Entry, in directory: OpenFile) throws(NarDumpError) -> UInt32 {
        // readdir(3): DT_ values are the file type bits shifted down by 12 (DTTOIF).
        if entry.kind != UInt8(DT_UNKNOWN) { return UInt32(entry.kind) << 12 }
        do throws(Errno) { return try unsafe directory.descriptor.fileType(named: arena.name(entry)) } catch {
            throw .system(SystemError("look at", path(of: entry), error))
        }
    }

    /// Leaves an entry of the innermost directory to be read, and ends it.
    private func addItem(_ entry: NameArena.Entry, _ source: (_ name: Int, _ directory: Int) -> NarPart.Source) {
        let innermost = levels.count - 1
        let directory: Int
        if let listed = levels[innermost].listed { directory = listed } else {
            directory = part.directories.count
            levels[innermost].listed = directory
            if let file = levels[innermost].directory {
                part.directories.append(NarPart.Directory(file: file, place: levels[innermost].place))
            }
        }
        let name = part.names.count
        unsafe part.names.append(contentsOf: arena.nameBytes(entry))
        part.names.append(0)
        part.items.append(NarPart.Item(tokenEnd: part.tokens.count, source: source(name, directory)))
        part.tokens += NarTokens.close
    }

    /// Begins a directory: lists it, and sorts its names.
    private func enter(_ descriptor: consuming FileDescriptor, _ place: NarPlace) throws(NarDumpError) {
        if levels.count >= NarReader.depthMaxDefault {
            throw .tooDeep(path: place.path, max: NarReader.depthMaxDefault)
        }
        let directory = OpenFile(descriptor)
        let mark = arena.mark
        while true {
            let count: Int
            do throws(Errno) { count = try unsafe directory.descriptor.readEntries(into: listing) } catch {
                throw .system(SystemError("list", place.path, error))
            }
            if count == 0 { break }
            unsafe arena.take(UnsafeRawBufferPointer(rebasing: listing[..<count]))
        }
        arena.sort(from: mark)
        part.tokens += NarTokens.directory
        levels.append(Level(directory: directory, place: place, mark: mark, next: mark.entry))
        let closed = levels.count - 1 - Self.openLevelCountMax
        if closed >= 0, let directory = levels[closed].directory {
            levels[closed].identity = try identity(of: directory, levels[closed].place)
            levels[closed].directory = nil
            // One that is opened again is another file to those who read.
            levels[closed].listed = nil
        }
    }

    /// Ends the innermost directory, and the entry that holds it.
    private func leave() throws(NarDumpError) {
        let level = levels.removeLast()
        arena.release(to: level.mark)
        part.tokens += NarTokens.close
        guard let above = levels.last else { return }
        part.tokens += NarTokens.close
        guard above.directory == nil, let below = level.directory, let expected = above.identity else { return }
        let directory: OpenFile
        do throws(Errno) { directory = OpenFile(try unsafe below.descriptor.openDirectory(named: "..")) } catch {
            throw NarDumpError(opening: above.place.path, error)
        }
        let found = try identity(of: directory, above.place)
        if found.device != expected.device || found.inode != expected.inode {
            throw .changed(path: above.place.path, how: "was moved")
        }
        levels[levels.count - 1].directory = directory
    }

    private func identity(
        of directory: OpenFile, _ place: NarPlace
    ) throws(NarDumpError) -> (device: UInt64, inode: UInt64) {
        var raw = stat()
        let descriptor = directory.descriptor.rawValue
        do throws(Errno) { try retryingInterrupts { unsafe fstat(descriptor, &raw) } } catch {
            throw .system(SystemError("look at", place.path, error))
        }
        return (UInt64(raw.st_dev), UInt64(raw.st_ino))
    }

    /// The path of an entry of the innermost directory, for errors.
    private func path(of entry: NameArena.Entry) -> String {
        NarPlace(arena.text(entry), in: levels.last?.place).path
    }

    private func unsupported(_ path: String) -> NarDumpError {
        var raw = stat()
        let kind: String
        if unsafe lstat(path, &raw) != 0 {
            kind = "of an unknown kind"
        } else {
            kind = switch raw.st_mode & S_IFMT {
            case S_IFIFO: "a named pipe"
            case S_IFSOCK: "a socket"
            case S_IFCHR: "a character device"
            case S_IFBLK: "a block device"
            default: "of an unknown kind"
            }
        }
        return .unsupportedKind(path: path, kind: kind)
    }
}
