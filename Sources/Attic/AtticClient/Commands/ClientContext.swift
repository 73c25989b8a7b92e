import AtticAPI
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
    func client(for reference: String, connectionsMax: Int = 2) throws(ClientFailure) -> APIClient {
        let reference = try CacheReference(reference)
        let configuration = try ConfigurationFile(directories).load().configuration
        return try APIClient(try configuration.resolve(reference), connectionsMax: connectionsMax)
    }
}
