import Glibc

/// The names in the open directories of a walk: their bytes, NUL-terminated, in one block of memory, and a list of what
/// they name. Used as a stack: a directory's names come off together when it is done.
///
/// Thread: one at a time.
@safe final class NameArena {
    struct Entry {
        /// The first eight bytes of the name, the first one highest: settles nearly every comparison.
        let key: UInt64
        let start: Int
        let byteCount: Int
        /// DT_REG and its like; DT_UNKNOWN where the file system does not say.
        let kind: UInt8
    }

    /// Where a directory's names begin.
    struct Mark {
        let entry: Int
        let byte: Int
    }

    private(set) var entries: [Entry] = []
    private var bytes: UnsafeMutablePointer<CChar>
    private var byteCount = 0
    private var capacity = 64 << 10

    init() { unsafe bytes = .allocate(capacity: capacity) }

    deinit { unsafe bytes.deallocate() }

    var mark: Mark { Mark(entry: entries.count, byte: byteCount) }

    /// Forgets the names that came after `mark`.
    func release(to mark: Mark) {
        entries.removeSubrange(mark.entry...)
        byteCount = mark.byte
    }

    /// The name, NUL-terminated; until the next call that adds or releases.
    func name(_ entry: Entry) -> UnsafePointer<CChar> { unsafe UnsafePointer(bytes + entry.start) }

    /// The name without its NUL, likewise.
    func nameBytes(_ entry: Entry) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: bytes + entry.start, count: entry.byteCount)
    }

    func text(_ entry: Entry) -> String { unsafe String(decoding: nameBytes(entry), as: UTF8.self) }

    /// Takes the entries that getdents64(2) laid out in `buffer`, without `.` and `..`.
    ///
    ///     struct linux_dirent64 { u64 d_ino; s64 d_off; u16 d_reclen; u8 d_type; char d_name[]; }
    func take(_ buffer: UnsafeRawBufferPointer) {
        var position = 0
        while position < buffer.count {
            let recordByteCount = Int(unsafe buffer.loadUnaligned(fromByteOffset: position + 16, as: UInt16.self))
            let kind = unsafe buffer.load(fromByteOffset: position + 18, as: UInt8.self)
            let name = unsafe UnsafeRawBufferPointer(rebasing: buffer[(position + 19)..<(position + recordByteCount)])
            position += recordByteCount
            var nameByteCount = 0
            while unsafe name[nameByteCount] != 0 { nameByteCount += 1 }
            let dot = UInt8(ascii: ".")
            if unsafe name[0] == dot && (nameByteCount == 1 || (nameByteCount == 2 && name[1] == dot)) { continue }
            unsafe add(UnsafeRawBufferPointer(rebasing: name[..<nameByteCount]), kind: kind)
        }
    }

    /// Sorts the names that came after `mark` by their bytes, as Nix's `std::map` of strings has them.
    func sort(from mark: Mark) {
        let bytes = unsafe bytes
        entries[mark.entry...].sort { left, right in
            if left.key != right.key { return left.key < right.key }
            // strcmp(3) compares as unsigned char.
            return unsafe strcmp(bytes + left.start, bytes + right.start) < 0
        }
    }

    private func add(_ name: UnsafeRawBufferPointer, kind: UInt8) {
        if byteCount + name.count + 1 > capacity {
            capacity *= 2
            let larger = UnsafeMutablePointer<CChar>.allocate(capacity: capacity)
            unsafe larger.update(from: bytes, count: byteCount)
            unsafe bytes.deallocate()
            unsafe bytes = larger
        }
        var key: UInt64 = 0
        for index in 0..<min(8, name.count) { unsafe key |= UInt64(name[index]) << UInt64(56 - index * 8) }
        let start = byteCount
        unsafe UnsafeMutableRawBufferPointer(start: bytes + start, count: name.count).copyMemory(from: name)
        unsafe bytes[start + name.count] = 0
        byteCount += name.count + 1
        entries.append(Entry(key: key, start: start, byteCount: name.count, kind: kind))
    }
}
