import AtticAPI
import Encoding
import HTTPClient
import Platform

/// What every command needs of the world: the environment, the user's files, the console.
package struct ClientContext: Sendable {
    package let environment: [String: String]
    package let console: Console
    package let directories: UserDirectories

    package init(environment: [String: String]) throws(ClientFailure) {
        self.environment = environment
        console = Console(environment: environment)
        directories = try UserDirectories(environment: environment)
    }

    /// A client for the cache that `reference` means.
    ///
    /// - Parameter waits: for a server that is away for a while; a command that tries again by itself does not want that.
    func client(for reference: String, connectionsMax: Int = 2, waits: Bool = true) throws(ClientFailure) -> APIClient {
        let reference = try CacheReference(reference)
        let configuration = try ConfigurationFile(directories).load().configuration
        let console = console
        return try APIClient(
            try configuration.resolve(reference), connectionsMax: connectionsMax, network: ClientNetwork(environment: environment),
            waits: waits, attemptsMax: try attemptsMax(), notice: { console.say($0) })
    }

    /// The variable in which scripts say how often a request is sent at most: 1 for those that want to see each failure at once.
    private static let attemptsVariable = "TETRYX_ATTEMPTS"

    private func attemptsMax() throws(ClientFailure) -> Int? {
        guard let text = environment[Self.attemptsVariable], !text.isEmpty else { return nil }
        guard let count = Int(text), (1...100).contains(count) else {
            throw ClientFailure(
                .usage, "\(Self.attemptsVariable) is \(quoted(text)), and not how often a request is sent", advice: "Set it to 1 to 100, or not at all.")
        }
        return count
    }
}
