import Platform
import SQL
import Testing

@testable import Database

@Suite("Waiting for a server that is away")
struct AbsenceTests {
    private static let away = SQLError(kind: .disconnected, code: "", operation: "connect to", subject: "there", message: "away")
    private static let refused = SQLError(kind: .cannotOpen, code: "", operation: "connect to", subject: "there", message: "no")

    private static func failure(_ absence: Absence, _ connect: () throws(SQLError) -> Void) -> SQLError? {
        do throws(SQLError) { try absence.wait(connecting: connect) } catch { return error }
        return nil
    }

    @Test func `the first waits until it is back, and whoever waits beside it finds it, too`() throws {
        let absence = Absence(patience: .seconds(3600))
        var tries = 0
        try absence.wait { () throws(SQLError) in
            tries += 1
            if tries < 3 { throw Self.away }
        }
        #expect(tries == 3)
        try absence.wait { () throws(SQLError) in tries += 1 }
        #expect(tries == 4, "it is not away any more")
    }

    @Test func `when it has been away for too long all are refused at once, and hardly anybody looks`() throws {
        let absence = Absence(patience: .milliseconds(50))
        var tries = 0
        func ask() -> SQLError? {
            Self.failure(absence) { () throws(SQLError) in
                tries += 1
                throw Self.away
            }
        }
        #expect(ask() == Self.away)
        let first = tries
        #expect(first >= 2)
        for _ in 0..<1000 { #expect(ask() == Self.away) }
        #expect(tries - first < 100)
    }

    @Test func `while one tries, those who have waited long enough are refused and do not try themselves`() throws {
        let absence = Absence(patience: .zero)
        let gate = Monitor((isTrying: false, isOpen: false))
        let trying = ThreadHandle(named: "trying") {
            try? absence.wait { () throws(SQLError) in
                gate.update { $0.isTrying = true }
                gate.wait { $0.isOpen ? () : nil }
            }
        }
        gate.wait { $0.isTrying ? () : nil }
        for _ in 0..<10 {
            let error = Self.failure(absence) { () throws(SQLError) in Issue.record("two try at once") }
            #expect(error?.kind == .disconnected)
        }
        gate.update { $0.isOpen = true }
        trying.join()
        var isTried = false
        try absence.wait { () throws(SQLError) in isTried = true }
        #expect(isTried)
    }

    @Test func `a server that says no is not asked again by the one who heard it`() throws {
        let absence = Absence(patience: .seconds(3600))
        var tries = 0
        let error = Self.failure(absence) { () throws(SQLError) in
            tries += 1
            throw Self.refused
        }
        #expect(error == Self.refused && tries == 1)
    }
}
