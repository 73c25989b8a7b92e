import Glibc
import Support
import Testing

@testable import Platform

/// What systemd passes; by hand, since tests are started without it.
@Suite struct ServiceManagerTests {
    @Test func withoutVariablesThereIsNothing() throws {
        let manager = ServiceManager(environment: [:], processID: 7)
        #expect(manager.watchdogTime == nil)
        #expect(try manager.takeSockets().isEmpty)
        manager.tell("READY=1")
    }

    @Test func watchdogTimesAreForTheProcessThatTheyName() {
        func time(_ environment: [String: String]) -> Duration? { ServiceManager(environment: environment, processID: 7).watchdogTime }
        #expect(time(["WATCHDOG_USEC": "30000000"]) == .seconds(30))
        #expect(time(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"]) == .seconds(30))
        for (name, value) in [("WATCHDOG_PID", "8"), ("WATCHDOG_PID", "x"), ("WATCHDOG_USEC", "0"), ("WATCHDOG_USEC", "-1"), ("WATCHDOG_USEC", "soon")] {
            var environment = ["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"]
            environment[name] = value
            #expect(time(environment) == nil, "\(name)=\(value)")
        }
    }

    @Test(arguments: [["LISTEN_FDS": "1"], ["LISTEN_FDS": "1", "LISTEN_PID": "8"], ["LISTEN_FDS": "0", "LISTEN_PID": "7"], ["LISTEN_FDS": "-1", "LISTEN_PID": "7"], ["LISTEN_PID": "7"]])
    func socketsAreForTheProcessThatTheyName(environment: [String: String]) throws {
        #expect(try ServiceManager(environment: environment, processID: 7).takeSockets().isEmpty)
    }

    @Test func moreSocketsThanAnybodyHasAreRefused() {
        let manager = ServiceManager(environment: ["LISTEN_FDS": "65", "LISTEN_PID": "7"], processID: 7)
        #expect(throws: SystemError("take", "65 sockets of LISTEN_FDS", Errno(E2BIG))) { _ = try manager.takeSockets() }
    }

    @Test(arguments: [false, true])
    func whatIsToldArrives(isAbstract: Bool) throws {
        let directory = try TemporaryDirectory()
        let name = isAbstract ? "@tetryx-test\(directory.path)" : directory.file("notify")
        let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        let receiver = FileDescriptor(owning: raw)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var bytes = Array(name.utf8)
        if isAbstract { bytes[0] = 0 }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let size = isAbstract ? 2 + bytes.count : MemoryLayout<sockaddr_un>.size
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(raw, $0, socklen_t(size)) }
        }
        try #require(status == 0)
        ServiceManager(environment: ["NOTIFY_SOCKET": name]).tell("READY=1\nSTATUS=Serving")
        var message = [UInt8](repeating: 0, count: 100)
        let count = unsafe recv(receiver.rawValue, &message, message.count, Int32(MSG_DONTWAIT))
        try #require(count > 0)
        #expect(String(decoding: message.prefix(count), as: UTF8.self) == "READY=1\nSTATUS=Serving")
        // Nobody there, or no socket at all, is nobody's trouble.
        ServiceManager(environment: ["NOTIFY_SOCKET": directory.file("none")]).tell("READY=1")
        ServiceManager(environment: ["NOTIFY_SOCKET": "vsock:2:1234"]).tell("READY=1")
    }
}
