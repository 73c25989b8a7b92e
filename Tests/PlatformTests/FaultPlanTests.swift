import Testing

@testable import Platform

@Suite("Faults that are put in on purpose")
struct FaultPlanTests {
    private let site = FaultSite("write")

    private func actions(_ text: String, _ count: Int, at site: FaultSite? = nil) throws -> [FaultPlan.Action?] {
        let plan = try #require(FaultPlan(text))
        return (0..<count).map { _ in plan.action(at: site ?? self.site) }
    }

    @Test("A rule counts the arrivals at its own site")
    func nth() throws {
        #expect(try actions("write#2=EIO,sync#1=kill", 3) == [nil, .fail(.inputOutput), nil])
        #expect(try actions("write=short", 2) == [.short, .short])
        #expect(try actions("write#2=EIO", 3, at: .sync) == [nil, nil, nil])
        let plan = try #require(FaultPlan("write#1=ENOSPC,write=short"))
        #expect(throws: Errno.noSpace) { try plan.limit(site, 100) }
        #expect(try plan.limit(site, 100) == 50)
        #expect(try plan.limit(site, 1) == 1)
    }

    @Test("The same seed throws the same dice, about as often as it says")
    func dice() throws {
        let first = try actions("write%20=EIO,seed=7", 1000)
        #expect(try actions("write%20=EIO,seed=7", 1000) == first)
        #expect(try actions("write%20=EIO,seed=8", 1000) != first)
        let count = first.count { $0 != nil }
        #expect((150...250).contains(count))
    }

    @Test("What is no plan is refused", arguments: ["write", "write=", "=EIO", "write#0=EIO", "write#x=EIO", "write%=EIO", "write=EWHAT", "write=EIO,", "seed=x"])
    func malformed(_ text: String) {
        #expect(FaultPlan(text) == nil)
    }
}
