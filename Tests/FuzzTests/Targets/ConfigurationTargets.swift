import AtticAPI
import AtticClient

@testable import AtticServer
@testable import ConfigFile

extension FuzzTarget {
    /// TOML, and the two files that are written in it.
    static let configurations = [
        FuzzTarget(text: "toml", byteCountMax: 1024) { try checkTOML($0) },
        FuzzTarget(text: "server-configuration") { try checkServer($0) },
        FuzzTarget(text: "client-configuration") { try checkClient($0) },
    ]
}

private func checkTOML(_ text: String) throws {
    let file: TOMLFile
    do throws(ConfigFileError) { file = try TOMLFile.parse(text, name: "a.toml") } catch { return try readable(error) }
    // An error about any value can name its line.
    var paths: Set<[String]> = []
    collect(file.values, at: [], into: &paths)
    for path in paths { try rule(file.places[path] != nil, "the place of \(path) is not known") }
    do {
        try file.finish()
        try rule(file.values.isEmpty, "a key that nobody asked for is refused")
    } catch {
        guard let error = error as? ConfigFileError else { throw error }
        try readable(Short(error))
    }
    for key in file.root.keys { _ = try? file.root.string(key) }
    // A text made by the writer says what it was given.
    var writer = TOMLWriter()
    writer.table(["a", text])
    writer.value("key", text)
    writer.value("list", [text, text])
    do {
        let section = try TOMLFile.parse(writer.text, name: "b.toml").root.section("a").section(text)
        try same(try section.string("key").map { Array($0.utf8) }, Array(text.utf8), "a string that is written and read")
        try same(try section.strings("list")?.count, 2, "a list that is written and read")
    } catch {
        if error is BrokenRule { throw error }
        throw BrokenRule("TOML that is written is refused: \(error)\n\(writer.text)")
    }
}

private func collect(_ values: [String: TOMLNode], at path: [String], into paths: inout Set<[String]>) {
    for (key, node) in values {
        if case .table(let members) = node { collect(members, at: path + [key], into: &paths) } else { paths.insert(path + [key]) }
    }
}

/// An error about a configuration may quote a value of its owner's in full: only its form counts.
private struct Short: Error, CustomStringConvertible {
    let description: String
    init(_ error: some Error) { description = String(String.UnicodeScalarView("\(error)".unicodeScalars.prefix(200))) }
}

private func checkServer(_ text: String) throws {
    let configuration: Configuration
    do throws(ConfigurationError) { configuration = try Configuration.parse(text, name: "server.toml", environment: [:]) } catch {
        return try readable(Short(error))
    }
    // Only that of a directory is ever written.
    if configuration.s3 != nil { return }
    let written = configuration.text(database: configuration.database, storagePath: configuration.storagePath)
    do {
        let again = try Configuration.parse(written, name: "copy.toml", environment: [:])
        try same(again, configuration, "a configuration that is written and read")
    } catch {
        if error is BrokenRule { throw error }
        throw BrokenRule("a configuration that is written is refused: \(error)\n\(written)")
    }
}

private func checkClient(_ text: String) throws {
    var configuration: ClientConfiguration
    do throws(ConfigFileError) { configuration = try ClientConfiguration(parsing: text, name: "config.toml") } catch {
        return try readable(Short(error))
    }
    let rendered = configuration.rendered
    guard let again = try? ClientConfiguration(parsing: rendered, name: "copy.toml") else {
        throw BrokenRule("a configuration that is written is refused:\n\(rendered)")
    }
    try same(again, configuration, "a configuration that is written and read")
    for name in [ServerName("new-one"), configuration.servers.keys.sorted(by: { $0.rawValue < $1.rawValue }).first] {
        guard let name else { continue }
        configuration.servers[name] = ClientConfiguration.Server(endpoint: "https://example.org/", token: "a.b.c")
        configuration.defaultServer = name
        let edited = configuration.edited(text, changing: name)
        guard let read = try? ClientConfiguration(parsing: edited, name: "edited.toml") else {
            throw BrokenRule("a configuration that is edited is refused:\n\(edited)")
        }
        try same(read, configuration, "a configuration that is edited")
        if let next = try? ClientConfiguration(parsing: text, name: "config.toml") { configuration = next }
    }
}
