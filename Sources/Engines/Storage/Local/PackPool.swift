import Platform

/// The packs that may be appended to and that no writer has. It holds names, not descriptors: a pack costs
/// nothing while it is idle, and another process may remove it meanwhile.
final class PackPool: Sendable {
    struct Idle: Sendable {
        let name: PackName
        /// Where the next writer begins.
        let byteCount: Int64
    }

    private let idle = Monitor<[Idle]>([])

    /// Takes the fullest pack, so that few packs are unsealed at any time; nil where none is idle.
    func takeFullest() -> Idle? {
        idle.withLock { packs in
            guard let index = packs.indices.max(by: { packs[$0].byteCount < packs[$1].byteCount }) else { return nil }
            return packs.remove(at: index)
        }
    }

    func put(_ pack: Idle) { idle.withLock { $0.append(pack) } }

    func drop(_ name: PackName) { idle.withLock { packs in packs.removeAll { $0.name == name } } }
}
