import Platform
import Support
import Testing

/// What the scripts say to someone whose machine lacks something. Each runs with a PATH of its own that has the
/// plain tools and stand-ins for what is to be missing or different.
@Suite struct ScriptTests {
    let directory: TemporaryDirectory
    let scripts = File.parent(of: File.parent(of: File.parent(of: #filePath))) + "/scripts"

    init() throws { directory = try TemporaryDirectory() }

    /// Runs `scripts/setup` where only `programs` (name to shell text) and the plain tools are found.
    private func setup(_ programs: [String: String], _ arguments: String...) throws -> Subprocess.Outcome {
        let path = directory.file("bin")
        for tool in ["bash", "env", "sed", "head", "sort"] {
            let real = try #require(["/usr/bin", "/bin"].map { "\($0)/\(tool)" }.first { File.exists($0) })
            try directory.write("bin/\(tool)", text: "#!/bin/sh\nexec \(real) \"$@\"\n")
        }
        for (name, text) in programs { try directory.write("bin/\(name)", text: "#!/bin/sh\n\(text)\n") }
        _ = try Subprocess.run(["chmod", "-R", "755", path])
        return try Subprocess.run(
            ["/bin/bash", "\(scripts)/setup"] + arguments, environment: ["PATH": path])
    }

    private let swift = ["swift": "echo 'Swift version 6.3.1 (swift-6.3.1-RELEASE)'"]
    private let nothingInstalled = ["dpkg-query": "exit 1"]
    private let user = ["id": "echo 1000"]
    private let root = ["id": "echo 0"]

    @Test("Without Swift it says where to get it")
    func noSwift() throws {
        let outcome = try setup([:])
        #expect(outcome.status == .exited(1))
        #expect(outcome.errorText == "setup: there is no swift on PATH; install Swift 6.3 (https://www.swift.org/install/linux) and run this again\n")
    }

    @Test("An old Swift is named with its version", arguments: ["5.10", "6.0", "6.2"])
    func oldSwift(version: String) throws {
        let outcome = try setup(["swift": "echo 'Swift version \(version) (swift-\(version)-RELEASE)'"])
        #expect(outcome.status == .exited(1))
        #expect(outcome.errorText.hasPrefix("setup: swift on PATH is version \(version); this needs 6.3 or later"))
    }

    @Test("Where there is no dpkg it names the packages that it wanted")
    func notDebian() throws {
        let outcome = try setup(swift)
        #expect(outcome.status == .exited(1))
        #expect(outcome.errorText.hasPrefix("setup: this is not Debian"))
        #expect(outcome.errorText.contains("libsqlite3-dev"))
    }

    @Test("Neither root nor sudo: it prints the command for root")
    func notRoot() throws {
        let programs = [swift, nothingInstalled, user, ["apt-get": "exit 1"]].reduce(into: [:]) { $0.merge($1) { $1 } }
        let outcome = try setup(programs)
        #expect(outcome.status == .exited(1))
        #expect(outcome.errorText.contains("needs root, and there is no sudo; run as root: apt-get install libsqlite3-dev"))
    }

    @Test("A failing apt-get is tried once more with fresh lists, then said")
    func aptFails() throws {
        let log = directory.file("apt.log")
        let programs = [swift, nothingInstalled, root, ["apt-get": "echo \"$@\" >>\(log); exit 100"]].reduce(into: [:]) { $0.merge($1) { $1 } }
        let outcome = try setup(programs)
        #expect(outcome.status == .exited(1))
        #expect(outcome.errorText.contains("setup: could not install libsqlite3-dev"))
        let calls = try #require(try File.readText(log)).split(separator: "\n")
        #expect(calls.count == 2)
        #expect(calls.first?.contains("install") == true && calls.last?.contains("update") == true)
    }

    @Test("Only what is missing is installed, and with everything there nothing is asked for")
    func onlyMissing() throws {
        let log = directory.file("apt.log")
        let apt = ["apt-get": "echo \"$@\" >>\(log)"]
        let allButOne = ["dpkg-query": "case \"$4\" in libzstd-dev) exit 1 ;; *) printf installed ;; esac"]
        #expect(try setup([swift, allButOne, root, apt].reduce(into: [:]) { $0.merge($1) { $1 } }).isSuccess)
        #expect(try File.readText(log)?.hasSuffix("--no-install-recommends libzstd-dev\n") == true)
        try File.remove(log)
        let outcome = try setup([swift, ["dpkg-query": "printf installed"], user, apt].reduce(into: [:]) { $0.merge($1) { $1 } }, "--tests")
        #expect(outcome.isSuccess)
        #expect(outcome.errorText.contains("all there") && outcome.errorText.contains("nix-bin"))
        #expect(!File.exists(log))
    }

    @Test("Each script explains itself and refuses what it does not know", arguments: ["setup", "run", "test", "tutorial", "fuzz"])
    func help(script: String) throws {
        let outcome = try Subprocess.run(["\(scripts)/\(script)", "--help"])
        #expect(outcome.isSuccess)
        #expect(outcome.outputText.contains("scripts/\(script)"))
        // What scripts/run does not know is for atticd.
        if script == "run" { return }
        #expect(try Subprocess.run(["\(scripts)/\(script)", "--no-such-option"]).status == .exited(2))
    }
}
