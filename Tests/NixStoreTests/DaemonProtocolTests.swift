import Crypto
import Nix
import NixStore
import Platform
import Support
import Testing

private let tool = "nwh8yh1fm1x62jpsl5yl4p8z4c03w5li-tool"
private let library = "292qsfsa3n0rqgzxhhqxwas3ahxrzxzl-library"
private let digest = SHA256.digest(of: Array("abc".utf8))

private func answer(
    deriver: String = "", hash: String = digest.hex, references: [String] = [], narSize: UInt64 = 100, signatures: [String] = [],
    ca: String = ""
) -> [UInt8] {
    FakeDaemon.string(deriver) + FakeDaemon.string(hash) + FakeDaemon.strings(references.map { "/nix/store/\($0)" })
        + FakeDaemon.word(1_700_000_000) + FakeDaemon.word(narSize) + FakeDaemon.word(1) + FakeDaemon.strings(signatures)
        + FakeDaemon.string(ca)
}

private let answers = [
    "/nix/store/\(tool)": answer(
        deriver: "/nix/store/00000000000000000000000000000000-tool.drv", references: [tool, library], signatures: ["a-1:AA=="]),
    "/nix/store/\(library)": answer(ca: "fixed:r:sha256:x"),
]

private func path(_ baseName: String) throws(NixStoreError) -> StorePath {
    do { return try StorePath(baseName: baseName) } catch {
        throw .malformed(path: baseName, reason: error.description)
    }
}

@Test("Every version of the protocol is spoken", arguments: [21, 25, 26, 27, 32, 33, 34, 35, 37, 38, 39, 50], [1, 1 << 20])
func versions(_ minor: Int, _ pieceByteCount: Int) throws {
    let daemon = try FakeDaemon(.init(
        minor: minor, answers: answers, chatter: FakeDaemon.chatter, pieceByteCount: pieceByteCount))
    defer { daemon.stop() }
    let reader = try NixDaemon(socket: daemon.socket)
    #expect(reader.protocolMinor == min(minor, 38))
    let closure = try reader.closure(of: [try path(tool)])
    #expect(closure.map(\.path.baseName) == [library, tool])
    #expect(closure[1].references.map(\.baseName) == [library, tool])
    #expect(closure[1].deriver?.baseName == "00000000000000000000000000000000-tool.drv")
    #expect(closure[1].signatures == ["a-1:AA=="] && closure[1].ca == nil)
    #expect(closure[0].ca == "fixed:r:sha256:x" && closure[0].deriver == nil)
    #expect(closure[0].narHash == digest && closure[0].narSize == 100)
    let unknown = try path("00000000000000000000000000000000-unknown")
    #expect(try reader.validPaths(among: [unknown, try path(tool)]) == [try path(tool)])
    do throws(NixStoreError) {
        _ = try reader.pathInfos(of: [unknown, try path(tool), unknown])
        Issue.record("an unknown path was found")
    } catch {
        guard case .notValid([unknown, unknown]) = error else {
            Issue.record("\(error)")
            return
        }
    }
}

@Test("A daemon that is too old is refused with its version and what to do", arguments: [10, 18, 20])
func tooOld(_ minor: Int) throws {
    let daemon = try FakeDaemon(.init(minor: minor))
    defer { daemon.stop() }
    do throws(NixStoreError) {
        _ = try NixDaemon(socket: daemon.socket)
        Issue.record("it was taken")
    } catch {
        #expect(error.description.contains("1.\(minor)"))
        #expect(error.description.contains("update Nix"))
    }
}

@Test("An error is shown in the daemon's words, without colours", arguments: [21, 25, 26, 34, 38])
func errors(_ minor: Int) throws {
    let failure = FakeDaemon.error(
        "\u{1b}[31;1merror:\u{1b}[0m path '\u{1b}[35;1m/nix/store/x\u{1b}[0m' is broken\nbadly", minor: minor,
        traces: ["while looking"])
    let daemon = try FakeDaemon(.init(minor: minor, chatter: FakeDaemon.chatter, failure: failure))
    defer { daemon.stop() }
    let reader = try NixDaemon(socket: daemon.socket)
    let words = "path '/nix/store/x' is broken badly" + (minor < 26 ? "" : " (while looking)")
    // Twice: the second time on a new connection.
    for _ in 0..<2 {
        do throws(NixStoreError) {
            _ = try reader.pathInfos(of: [try path(tool)])
            Issue.record("there was no error")
        } catch {
            #expect(error.description == "the Nix daemon says: \(words)")
        }
    }
}

@Test("A daemon that does not want us says so in the handshake")
func refusal() throws {
    let refusal = FakeDaemon.error("user 'nobody' is not allowed to connect to the Nix daemon", minor: 34)
    let daemon = try FakeDaemon(.init(chatter: refusal))
    defer { daemon.stop() }
    do throws(NixStoreError) {
        _ = try NixDaemon(socket: daemon.socket)
        Issue.record("it was taken")
    } catch { #expect(error.description.contains("user 'nobody' is not allowed")) }
}

@Test(
    "Nonsense is an error and nothing worse",
    arguments: [
        FakeDaemon.word(0x7777), FakeDaemon.word(0x6461_7461) + FakeDaemon.word(8), FakeDaemon.word(0x6461_7416) + FakeDaemon.string("x"),
        FakeDaemon.word(0x6f6c_6d67) + FakeDaemon.word(.max), FakeDaemon.word(0x6f6c_6d67) + FakeDaemon.word(1) + [1, 1, 0, 0, 0, 0, 0, 0],
        FakeDaemon.word(0x5253_4c54) + FakeDaemon.word(1) + FakeDaemon.word(1) + FakeDaemon.word(.max),
        FakeDaemon.word(0x5253_4c54) + FakeDaemon.word(1) + FakeDaemon.word(1) + FakeDaemon.word(1) + FakeDaemon.word(2),
        FakeDaemon.last + FakeDaemon.word(1) + FakeDaemon.string("not a path"),
        FakeDaemon.last + FakeDaemon.word(1) + answer(hash: "xyz"), FakeDaemon.last + FakeDaemon.word(1) + answer(narSize: 0),
        FakeDaemon.last + FakeDaemon.word(1) + answer(narSize: .max), FakeDaemon.last, [1, 2, 3], [],
    ] as [[UInt8]])
func nonsense(_ bytes: [UInt8]) throws {
    let daemon = try FakeDaemon(.init(failure: bytes))
    defer { daemon.stop() }
    let reader = try NixDaemon(socket: daemon.socket)
    #expect(throws: NixStoreError.self) { try reader.pathInfos(of: [try path(tool)]) }
}

@Test(
    "What does not greet as a Nix daemon is refused",
    arguments: [Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), [], FakeDaemon.word(0x6478_696f) + FakeDaemon.word(0x234)])
func greetings(_ bytes: [UInt8]) throws {
    let daemon = try FakeDaemon(.init(greeting: bytes))
    defer { daemon.stop() }
    #expect(throws: NixStoreError.self) { try NixDaemon(socket: daemon.socket) }
}

@Test("A socket where nobody listens is named")
func nobody() throws {
    let directory = try TemporaryDirectory()
    do throws(NixStoreError) {
        _ = try NixDaemon(socket: directory.file("socket"))
        Issue.record("somebody answered")
    } catch { #expect(error.description.contains(directory.file("socket"))) }
}
