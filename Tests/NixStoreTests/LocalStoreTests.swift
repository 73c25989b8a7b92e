import Glibc
import Nix
import NixStore
import Platform
import Support
import Testing

private let name = "nwh8yh1fm1x62jpsl5yl4p8z4c03w5li-tool"

@Test("Places follow the environment, and Nix's own where nothing is set")
func places() {
    let usual = LocalStore.Places(environment: [:])
    #expect(usual.storeDirectory == "/nix/store")
    #expect(usual.database == "/nix/var/nix/db/db.sqlite")
    #expect(usual.daemonSocket == "/nix/var/nix/daemon-socket/socket")
    #expect(usual.remote == "auto")
    let other = LocalStore.Places(environment: [
        "NIX_STORE_DIR": "/s//x/", "NIX_STATE_DIR": "/v/./nix", "NIX_DAEMON_SOCKET_PATH": "/run/nix", "NIX_REMOTE": "daemon",
        "NIX_DB_DIR": "",
    ])
    #expect(other.storeDirectory == "/s/x")
    #expect(other.database == "/v/nix/db/db.sqlite")
    #expect(other.daemonSocket == "/run/nix")
    #expect(other.remote == "daemon")
}

@Test("Without a store there is a sentence that says what to do")
func noStore() throws {
    let directory = try TemporaryDirectory()
    let places = LocalStore.Places(environment: ["NIX_STATE_DIR": directory.path])
    do throws(NixStoreError) {
        _ = try LocalStore.open(places)
        Issue.record("a store was found")
    } catch {
        #expect(error.description.contains("install Nix"))
        #expect(error.description.contains(places.database))
    }
    var remote = places
    remote.remote = "ssh://host"
    #expect(throws: NixStoreError.self) { try LocalStore.open(remote) }
    remote.remote = "daemon"
    #expect(throws: NixStoreError.self) { try LocalStore.open(remote) }
}

@Test(
    "Paths in the store mean their store path",
    arguments: [
        "/nix/store/\(name)", "/nix/store/\(name)/", "/nix/store/\(name)/bin/tool", "//nix/./store/x/../\(name)", "../store/\(name)/bin",
        "\(name)", "\(name)/../\(name)",
    ])
func inStore(_ path: String) throws {
    #expect(try LocalStore.resolve(path, workingDirectory: "/nix/store").baseName == name)
}

@Test(
    "What is in the store but no store path is said to be none",
    arguments: ["/nix/store/foo", "/nix/store/.links", "/nix/store/\(name)~", "/nix/store/\(name).drv!out", "/nix/store/\(name).drv^*"])
func noStorePath(_ path: String) {
    do throws(NixStoreError) {
        _ = try LocalStore.resolve(path)
        Issue.record("it was resolved")
    } catch {
        guard case .noStorePath = error, "\(error)".contains("nix-store -q") == path.contains(".drv") else {
            Issue.record("\(error)")
            return
        }
    }
}

@Test("Links are followed into the store and not within it")
func links() throws {
    let directory = try TemporaryDirectory()
    let store = directory.file("store")
    try Directory.make("\(store)/\(name)/bin")
    let other = "292qsfsa3n0rqgzxhhqxwas3ahxrzxzl-t"
    // A store path that is a link is itself meant.
    _ = unsafe symlink("\(store)/\(name)", "\(store)/\(other)")
    try Directory.make(directory.file("home/deep"))
    _ = unsafe symlink("\(store)/\(name)", directory.file("home/result"))
    _ = unsafe symlink("result", directory.file("home/again"))
    _ = unsafe symlink("../again", directory.file("home/deep/up"))
    _ = unsafe symlink("\(store)/\(other)", directory.file("home/linked"))
    _ = unsafe symlink("loop", directory.file("home/loop"))
    _ = unsafe symlink("/nowhere", directory.file("home/dangling"))
    _ = unsafe symlink(directory.file("home"), directory.file("alias"))
    func resolve(_ path: String) throws -> String {
        try LocalStore.resolve(path, storeDirectory: store, workingDirectory: directory.path).baseName
    }
    for path in [
        "home/result", "home/again", "home/deep/up", "home/result/bin", "home/again/bin/not-there", "alias/result",
        "./home/deep/../result", directory.file("alias/deep/up/bin"),
    ] { #expect(try resolve(path) == name, "\(path)") }
    #expect(try resolve("home/linked") == other)
    for path in ["home", "home/loop", "home/dangling", "home/not-there", ".", "/", "store"] {
        do throws(any Error) {
            _ = try resolve(path)
            Issue.record("\(path) was resolved")
        } catch {
            switch error {
            case NixStoreError.notInStore(path, store) where path != "home/dangling" && path != "home/not-there": continue
            case NixStoreError.notThere(path) where path == "home/dangling" || path == "home/not-there": continue
            default: Issue.record("\(path): \(error)")
            }
        }
    }
}
