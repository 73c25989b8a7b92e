import AtticClient
import Nix
import NixStore
import Testing

@Suite("What a push sends")
struct PushPlanTests {
    private let closure: [PathInfo]

    init() throws {
        closure = [
            try TestPaths.info(0, signatures: ["cache.nixos.org-1:abc"]),
            try TestPaths.info(1, references: [0], signatures: ["mine:x", "other:cache.nixos.org-1:y"]),
            try TestPaths.info(2, references: [1], signatures: ["cache.nixos.org-10:abc", "nocolon"]),
            try TestPaths.info(3, references: [0, 2], signatures: ["mine:x", "cache.nixos.org-1:zzz"]),
        ]
    }

    @Test("What an upstream key signed stays out, by the key's whole name")
    func upstream() {
        let rest = PushPlan.withoutUpstream(closure, keyNames: ["cache.nixos.org-1"])
        #expect(rest == [closure[1], closure[2]])
        #expect(PushPlan.withoutUpstream(closure, keyNames: []) == closure)
    }

    @Test("What the cache has stays out, and both are counted")
    func counts() {
        let candidates = [closure[1], closure[2]]
        let plan = PushPlan(closureCount: 4, candidates: candidates, missing: [closure[2].path.hash])
        #expect(plan.paths == [closure[2]])
        #expect(plan.cachedCount == 1)
        #expect(plan.upstreamCount == 2)
    }
}
