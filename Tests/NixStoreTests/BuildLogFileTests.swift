import Nix
import NixStore
import Support
import Testing

@Suite("Build logs of a local store")
struct BuildLogFileTests {
    private let derivation = "g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv"

    @Test("are where Nix keeps them, compressed or not, in folders or as old versions had them", arguments: [
        ("drvs/g1/w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv", false), ("drvs/g1/w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv.bz2", true),
        ("drvs/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv", false), ("drvs/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv.bz2", true),
    ])
    func places(file: String, isBzip2: Bool) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(file, text: "log")
        let found = BuildLogFile(of: try StorePath(baseName: derivation), in: directory.path)
        #expect(found == BuildLogFile(path: path, isBzip2: isBzip2))
        let other = try StorePath(baseName: "h1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-bar.drv")
        #expect(BuildLogFile(of: other, in: directory.path) == nil)
    }

    @Test("are found as a real Nix wrote them", .enabled(if: ScratchNix.isWanted, "there is no nix here"))
    func real() throws {
        let nix = try ScratchNix()
        let expression = """
            derivation { name = "noisy"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo noise; echo > $out" ]; }
            """
        let path = try nix.run("nix-build", "--no-out-link", "-E", expression).outputText.trimmed
        let store = try LocalStore.open(nix.places)
        let infos = try store.pathInfos(of: [try StorePath(absolute: path, storeDirectory: nix.storeDirectory)])
        let deriver = try #require(infos.first?.deriver)
        #expect(BuildLogFile(of: deriver, in: store.logDirectory)?.isBzip2 == true)
    }
}
