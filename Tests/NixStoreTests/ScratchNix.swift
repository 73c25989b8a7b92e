import Glibc
import NixStore
import Platform
import Support
import Testing

/// A store of its own, in a temporary directory, made and filled by a real Nix: nothing of the machine's store is used.
///
/// Tests that need it are `.enabled(if: ScratchNix.isWanted)`: where Nix is not installed they are left out, unless the
/// environment variable CI is set; then they run and fail.
final class ScratchNix: Sendable {
    static let isThere = (try? Subprocess.run(["nix", "--version"]).isSuccess) ?? false
    static var isWanted: Bool { isThere || Subprocess.ownEnvironment["CI"] != nil }

    let directory: TemporaryDirectory
    let environment: [String: String]
    let places: LocalStore.Places

    var storeDirectory: String { places.storeDirectory }

    init() throws {
        directory = try TemporaryDirectory()
        var environment = Subprocess.ownEnvironment
        environment["HOME"] = directory.file("home")
        environment["NIX_STORE_DIR"] = directory.file("store")
        environment["NIX_STATE_DIR"] = directory.file("var")
        environment["NIX_LOG_DIR"] = directory.file("log")
        environment["NIX_CONF_DIR"] = directory.file("etc")
        environment["NIX_DAEMON_SOCKET_PATH"] = directory.file("socket")
        environment["NIX_REMOTE"] = nil
        environment["NIX_STORE"] = nil
        environment["NIX_DB_DIR"] = nil
        self.environment = environment
        places = try LocalStore.Places(environment: environment)
        try Directory.make(directory.file("home"))
        try Directory.make(directory.file("store"))
        try directory.write(
            "etc/nix.conf",
            text: """
                sandbox = false
                build-users-group =
                substituters =
                experimental-features = nix-command
                max-jobs = 2

                """)
        _ = try run("nix-store", "--init")
    }

    /// Runs one of Nix's programs on this store; its output. Fails the test where it does not succeed.
    func run(_ arguments: String..., standardInput: [UInt8] = []) throws -> Subprocess.Outcome {
        let outcome = try Subprocess.run(arguments, environment: environment, standardInput: standardInput)
        try #require(outcome.isSuccess, "\(arguments): \(outcome.errorText)")
        return outcome
    }

    /// Lines of a program's output.
    func lines(_ arguments: String...) throws -> [String] {
        let outcome = try Subprocess.run(arguments, environment: environment)
        try #require(outcome.isSuccess, "\(arguments): \(outcome.errorText)")
        return outcome.outputText.split(separator: "\n").map(String.init)
    }

    /// Builds a chain of derivations and gives the path of the last: each refers to the one before and to one further
    /// down, every third to itself, and all to a path that was added and is content-addressed.
    func buildClosure(count: Int, seed: String = "1") throws -> String {
        let base = try directory.write("base-\(seed)/etc/base.conf", text: "seed \(seed)\n")
        let added = try run("nix-store", "--add", File.parent(of: File.parent(of: base))).outputText.trimmed
        let expression = """
            let
              base = builtins.storePath "\(added)";
              make = number: deps: derivation {
                name = "part-${toString number}-\(seed)"; system = builtins.currentSystem; builder = "/bin/sh"; inherit deps base;
                self = number - number / 3 * 3 == 0;
                args = [ "-c" "echo $base $deps > $out; if [ -n \\"$self\\" ]; then echo $out >> $out; fi" ];
              };
              parts = builtins.foldl'
                (done: number: done ++ [ (make number
                  (if done == [] then [] else [ (builtins.elemAt done (number - 1)) (builtins.elemAt done (number / 2)) ])) ])
                [] (builtins.genList (x: x) \(count));
            in builtins.elemAt parts \(count - 1)
            """
        return try run("nix-build", "--no-out-link", "-E", expression).outputText.trimmed
    }

    /// Runs `body` while this store's daemon runs. Connections made in it must end with it: the processes that serve
    /// them hold the daemon's output open, which is waited for.
    func withDaemon(_ body: () throws -> Void) throws {
        let daemon = try startDaemon()
        defer { daemon.kill() }
        try body()
    }

    /// Starts this store's daemon, and waits until its socket takes connections.
    func startDaemon() throws -> BackgroundProcess {
        let daemon = try BackgroundProcess(["nix-daemon"], environment: environment)
        let deadline = MonotonicTime.now + .seconds(30)
        while MonotonicTime.now < deadline {
            do {
                _ = try LocalSocket.connect(places.daemonSocket)
                return daemon
            } catch {
                // It says nothing when it is ready; it is asked again every 5 ms.
                _ = poll(nil, 0, 5)
            }
        }
        daemon.kill()
        throw SystemError("start", "nix-daemon: \(daemon.wait().errorText)", .timedOut)
    }
}

extension String {
    /// Without the white space at its ends.
    var trimmed: String {
        var text = Substring(self)
        while text.last?.isWhitespace == true { text.removeLast() }
        while text.first?.isWhitespace == true { text.removeFirst() }
        return String(text)
    }
}
