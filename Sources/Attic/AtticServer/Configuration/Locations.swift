/// Where things are on this machine, by the XDG base directory specification.
package struct Locations: Sendable, Equatable {
    package let configurationPath: String
    package let dataDirectory: String

    /// - Parameter environment: `XDG_CONFIG_HOME`, `XDG_DATA_HOME` and `HOME` are looked at.
    /// - Returns: nil where HOME is not set, and not both of the XDG variables are.
    package init?(environment: [String: String]) {
        guard
            let configurationPath = Self.configurationPath(environment: environment),
            let data = Self.directory(environment, "XDG_DATA_HOME", underHome: ".local/share")
        else { return nil }
        self.configurationPath = configurationPath
        dataDirectory = data + "/tetryx"
    }

    /// The usual configuration file, which can be known where the place of the data is not.
    package static func configurationPath(environment: [String: String]) -> String? {
        directory(environment, "XDG_CONFIG_HOME", underHome: ".config").map { $0 + "/tetryx/server.toml" }
    }

    private static func directory(_ environment: [String: String], _ variable: String, underHome: String) -> String? {
        // The specification: a relative path there is to be ignored.
        if let path = environment[variable], path.hasPrefix("/") { return path }
        guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
        return "\(home)/\(underHome)"
    }
}
