import ConfigFile
import Encoding
import Platform

// Which configuration is the one: what `-f` names; else the variable with the whole text; else the usual file.

extension Configuration {
    /// Finds and reads the configuration.
    ///
    /// - Parameters:
    ///   - path: what `-f` names, which then must exist.
    ///   - environment: all variables of the process.
    /// - Returns: nil where nothing is configured at all; a first run makes a configuration then.
    package static func find(
        path: String?, environment: [String: String]
    ) throws(ConfigurationError) -> Configuration? {
        if let path {
            guard let found = try read(path: path, environment: environment) else {
                throw .namedNotFound(path: path)
            }
            return found
        }
        let variable = EnvironmentVariable.configBase64
        if let base64 = environment[variable], !base64.isEmpty {
            guard let bytes = decodeBase64(base64), let text = String(validating: bytes, as: UTF8.self) else {
                throw .environment(variable: variable, reason: "it is not the base64 of a text in UTF-8")
            }
            return try parse(text, name: variable, environment: environment)
        }
        guard let usual = Locations.configurationPath(environment: environment) else { return nil }
        return try read(path: usual, environment: environment)
    }

    /// As `find`, for those who cannot go on without: nothing configured is an error too.
    package static func load(
        path: String?, environment: [String: String]
    ) throws(ConfigurationError) -> Configuration {
        if let found = try find(path: path, environment: environment) { return found }
        guard let usual = Locations.configurationPath(environment: environment) else { throw .noLocation }
        throw .notFound(path: usual)
    }

    /// Reads one text.
    ///
    /// - Parameters:
    ///   - name: what errors call it.
    ///   - environment: where what the text leaves out may be.
    package static func parse(
        _ text: String, name: String, environment: [String: String]
    ) throws(ConfigurationError) -> Configuration {
        let file: TOMLFile
        do throws(ConfigFileError) { file = try TOMLFile.parse(text, name: name) } catch { throw .file(error) }
        return try Configuration(reading: file, environment: environment)
    }

    /// Nil where there is no such file.
    private static func read(path: String, environment: [String: String]) throws(ConfigurationError) -> Configuration? {
        let content: String?
        do throws(SystemError) { content = try File.readText(path) } catch {
            if error.errno == .noSuchFile { return nil }
            throw .unreadable(error)
        }
        guard let text = content else { throw .notUTF8(path: path) }
        var configuration = try parse(text, name: path, environment: environment)
        if let warning = looseness(path, holdsSecret: configuration.holdsSecret) { configuration.warnings.append(warning) }
        return configuration
    }
}

extension Configuration {
    /// What is wrong with who can reach a file, of which others than its user and group should see nothing.
    ///
    /// - Returns: a sentence with what to do; nil where all is well, or cannot be known.
    static func looseness(_ path: String, holdsSecret: Bool = true) -> String? {
        guard let resolved = try? File.resolve(path), let permissions = (try? File.status(resolved))?.permissions else { return nil }
        // Below a directory that is closed to others it does not matter what they might do.
        var above = File.parent(of: resolved)
        while above != "/" {
            guard let passage = (try? File.status(above))?.permissions, passage & 0o001 != 0 else { return nil }
            above = File.parent(of: above)
        }
        let mode = String(permissions, radix: 8)
        if permissions & 0o002 != 0 { return "everyone on this machine can write to \(path) (mode \(mode)): chmod o-rwx \(path)" }
        guard holdsSecret, permissions & 0o004 != 0 else { return nil }
        return "everyone on this machine can read \(path) (mode \(mode)), and with what stands in it make tokens, sign, or read what is stored: chmod o-rwx \(path)"
    }
}

/// Base 64 with whatever line ends the tool that made it put in.
func decodeBase64(_ text: String) -> [UInt8]? {
    Base64.decode(String(text.filter { !$0.isWhitespace }))
}
