import Support
import Testing

@Suite struct SubprocessTests {
    @Test func aProgramReadsItsInputAndSaysHowItEnded() throws {
        let outcome = try Subprocess.run(
            ["sh", "-c", "cat; echo $WORD >&2; exit 3"], environment: ["WORD": "said", "PATH": "/usr/bin:/bin"],
            standardInput: [UInt8](repeating: 65, count: 300_000))
        #expect(outcome.status == .exited(3))
        #expect(outcome.standardOutput.count == 300_000)
        #expect(outcome.errorText == "said\n")
    }

    @Test func aProgramThatIsNotThereCannotBeStarted() {
        #expect(throws: (any Error).self) { try Subprocess.run(["/no/such/program"]) }
    }

    @Test func aBackgroundProgramSaysThatItIsReadyAndIsEnded() throws {
        let process = try BackgroundProcess(["sh", "-c", "echo ready >&2; exec sleep 1000"])
        #expect(process.waitForText("ready") == "ready\n")
        process.terminate()
        #expect(process.wait().status == .signalled(15))
        process.kill()
        #expect(process.waitForText("more") == nil)
    }
}
