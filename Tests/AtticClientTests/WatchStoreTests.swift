import Nix
import Testing

@testable import AtticClient

@Suite("Watching the store")
struct WatchStoreTests {
    @Test("A lock that goes away stands for its path, but not those of derivations and sources", arguments: [
        ("nwh8yh1fm1x62jpsl5yl4p8z4c03w5li-tool.lock", "nwh8yh1fm1x62jpsl5yl4p8z4c03w5li-tool"),
        ("nwh8yh1fm1x62jpsl5yl4p8z4c03w5li-flake.lock.lock", "nwh8yh1fm1x62jpsl5yl4p8z4c03w5li-flake.lock"),
        ("nwh8yh1fm1x62jpsl5yl4p8z4c03w5li-tool.drv.lock", nil),
        ("nwh8yh1fm1x62jpsl5yl4p8z4c03w5li-source.lock", nil),
        ("nwh8yh1fm1x62jpsl5yl4p8z4c03w5li-tool", nil),
        (".lock", nil),
        ("gc.lock", nil),
    ])
    func locks(name: String, baseName: String?) {
        #expect(WatchStore.path(ofLock: name)?.baseName == baseName)
    }
}
