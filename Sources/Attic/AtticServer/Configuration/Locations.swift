/// Where things are on this machine, by the XDG base directory specification.
package struct Locations: Sendable, Equatable {
    package let configurationPath: String
    package let dataDirectory: String

    /// - Parameter environment: `XDG_CONFIG_HOME`, `XDG_DATA_HOME` and `HOME` are looked at.
    /// - Returns: nil where neither the XDG variables nor HOME are set.
    package init?(environment: [String: String]) {
        func directory(_ variable: String, _ underHome: String) -> String? {
            // The specification: a relative path there is to be ignored.
            if let path = environment[variable], path.hasPrefix("/") { return path }
            guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
            return "\(home)/\(underHome)"
        }
        guard let config = directory("XDG_CONFIG_HOME", ".config"), let data = directory("XDG_DATA_HOME", ".local/share")
        else { return nil }
        configurationPath = config + "/tetryx/server.toml"
        dataDirectory = data + "/tetryx"
    }
}
