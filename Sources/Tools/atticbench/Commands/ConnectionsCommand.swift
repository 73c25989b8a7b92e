import ArgumentParser
import Platform

/// `atticbench connections`: opens many connections to a server on this machine, uses each once, and leaves them idle.
struct ConnectionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connections",
        abstract: "Prints the bytes that a server's memory grew by for each idle connection, and how many it took.")

    @Option(help: "The server's port on 127.0.0.1.") var port: UInt16
    @Option(help: "How many.") var count: Int
    @Option(help: "The server's process.") var pid: Int
    @Option(help: "What to ask for over each connection.") var path = "/"

    func run() throws {
        guard let address = try NameLookup.addresses(of: "127.0.0.1", port: port).first else {
            throw BenchFailure("127.0.0.1 has no address")
        }
        let request = "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        // The first ones make what all share.
        let first = try IdleConnections(address, request: request, count: 16)
        let before = try residentBytes()
        let idle = try IdleConnections(address, request: request, count: count)
        let grown = try residentBytes() - before
        print(idle.count, grown / max(idle.count, 1))
        first.close()
        idle.close()
    }

    /// `VmRSS` of proc(5), in bytes.
    private func residentBytes() throws -> Int {
        let text = try File.readText("/proc/\(pid)/status") ?? ""
        for line in text.split(separator: "\n") where line.hasPrefix("VmRSS:") {
            if let kilobytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({ Int($0) }) {
                return kilobytes << 10
            }
        }
        throw BenchFailure("the process \(pid) has no VmRSS")
    }
}
