import Platform

/// Open packs, kept for the next reader: opening costs more than reading a chunk. Bounded; where it is full the
/// quarter that was asked for longest ago goes, so the cost per miss stays small without a linked list.
final class OpenPackCache: Sendable {
    private struct Entry {
        let file: OpenFile
        var lastUse: UInt64
    }
    private struct State {
        var entries: [PackName: Entry] = [:]
        var uses: UInt64 = 0
    }

    private let countMax: Int
    private let state = Monitor(State())

    init(countMax: Int) {
        precondition(countMax >= 1, "a cache of open packs holds at least one")
        self.countMax = countMax
    }

    var count: Int { state.withLock { $0.entries.count } }

    func find(_ name: PackName) -> OpenFile? {
        state.withLock { state in
            state.uses += 1
            state.entries[name]?.lastUse = state.uses
            return state.entries[name]?.file
        }
    }

    /// Keeps a file that was just opened. Where another thread was faster its file is the one to use.
    func keep(_ file: OpenFile, for name: PackName) -> OpenFile {
        state.withLock { state in
            state.uses += 1
            if let present = state.entries[name] { return present.file }
            if state.entries.count >= countMax {
                let oldest = state.entries.sorted { $0.value.lastUse < $1.value.lastUse }.prefix(max(1, countMax / 4))
                for entry in oldest { state.entries[entry.key] = nil }
            }
            state.entries[name] = Entry(file: file, lastUse: state.uses)
            return file
        }
    }

    func drop(_ name: PackName) { state.withLock { $0.entries[name] = nil } }

    /// Lets all go; readers that have one keep it.
    func dropAll() { state.withLock { $0.entries = [:] } }

    /// Lets files go whose name was removed, by another process: while one is open its space is not freed.
    func dropRemoved() -> Int {
        let open = state.withLock { state in state.entries.map { (name: $0.key, file: $0.value.file) } }
        let removed = open.filter { (try? $0.file.descriptor.status().linkCount) == 0 }
        for pack in removed { drop(pack.name) }
        return removed.count
    }
}
