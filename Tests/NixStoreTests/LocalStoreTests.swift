import Glibc
import Nix
import NixStore
import Platform
import Support
import Testing

private let name = "nwh8yh1fm1x62jpsl5yl4p8z4c03w5li-tool"

@Test("Places follow the environment, and Nix's own where nothing is set")
func places() throws {
    let usual = try LocalStore.Places(environment: [:])
    #expect(usual.storeDirectory == "/nix/store" && usual.physicalStoreDirectory == "/nix/store")
    #expect(usual.database == "/nix/var/nix/db/db.sqlite")
    #expect(usual.daemonSocket == "/nix/var/nix/daemon-socket/socket")
    #expect(usual.logDirectory == "/nix/var/log/nix")
    #expect(usual.way == .auto)
    let other = try LocalStore.Places(environment: [
        "NIX_STORE_DIR": "/s//x/", "NIX_STATE_DIR": "/v/./nix", "NIX_DAEMON_SOCKET_PATH": "/run/nix", "NIX_REMOTE": "daemon",
        "NIX_DB_DIR": "", "NIX_LOG_DIR": "/logs",
    ])
    #expect(other.storeDirectory == "/s/x" && other.physicalStoreDirectory == "/s/x")
    #expect(other.database == "/v/nix/db/db.sqlite")
    #expect(other.daemonSocket == "/run/nix")
    #expect(other.logDirectory == "/logs")
    #expect(other.way == .daemon(socket: nil))
}

@Test("A chroot store has everything below its root, however it is named", arguments: ["/mnt/x/", "local?root=/mnt/x", "local:///mnt/x", "./x", "../mnt/x", "auto?root=/mnt/x"])
func chrootStore(_ text: String) throws {
    let uri = try StoreURI(parsing: text, workingDirectory: "/mnt")
    #expect(uri.root == "/mnt/x")
    let places = try LocalStore.Places(environment: ["NIX_STATE_DIR": "/elsewhere", "NIX_REMOTE": "daemon"], uri: uri)
    #expect(places.storeDirectory == "/nix/store")
    #expect(places.physicalStoreDirectory == "/mnt/x/nix/store")
    #expect(places.database == "/mnt/x/nix/var/nix/db/db.sqlite")
    #expect(places.logDirectory == "/mnt/x/nix/var/log/nix")
}

@Test("A store's parameters place each part")
func storeParameters() throws {
    let uri = try StoreURI(parsing: "unix:///run/d.socket?root=/r&state=/s&log=/l&real=/p/&store=/gnu/store&trusted=true")
    let places = try LocalStore.Places(environment: [:], uri: uri)
    #expect(places.way == .daemon(socket: "/run/d.socket") && places.daemonSocket == "/run/d.socket")
    #expect(places.storeDirectory == "/gnu/store" && places.physicalStoreDirectory == "/p")
    #expect(places.stateDirectory == "/s" && places.database == "/s/db/db.sqlite" && places.logDirectory == "/l")
    #expect(try StoreURI(parsing: "") == StoreURI() && StoreURI(parsing: "auto") == StoreURI())
    #expect(try StoreURI(parsing: "local?root=/").root == nil)
}

@Test("A store that cannot be read from here is refused with those that can", arguments: ["ssh://host", "https://cache", "dummy://", "local?root=x", "local?root", "local?real=/a%20b"])
func refusedStore(_ text: String) {
    do throws(NixStoreError) {
        _ = try StoreURI(parsing: text)
        Issue.record("it was taken")
    } catch {
        #expect(error.description.contains("\"\(text)\""))
    }
    #expect(throws: NixStoreError.self) { try LocalStore.Places(environment: ["NIX_REMOTE": text]) }
}

@Test("Without a store there is a sentence that says what to do")
func noStore() throws {
    let directory = try TemporaryDirectory()
    var places = try LocalStore.Places(environment: ["NIX_STATE_DIR": directory.path])
    for way in [StoreURI.Way.auto, .local] {
        places.way = way
        do throws(NixStoreError) {
            _ = try LocalStore.open(places)
            Issue.record("a store was found")
        } catch {
            #expect(error.description.contains("install Nix"))
            #expect(error.description.contains(places.database))
        }
    }
    places.way = .daemon(socket: nil)
    #expect(throws: NixStoreError.self) { try LocalStore.open(places) }
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

@Test("A path of a chroot store may be named by its place, too", arguments: ["/mnt/nix/store/\(name)", "nix/store/\(name)/bin", "/nix/store/\(name)"])
func inChrootStore(_ path: String) throws {
    #expect(try LocalStore.resolve(path, physicalStoreDirectory: "/mnt/nix/store", workingDirectory: "/mnt").baseName == name)
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
