import AtticAPI
import AtticClient
import Testing

@Suite("How a cache is named")
struct CacheReferenceTests {
    private let configuration: ClientConfiguration

    init() throws {
        let local = try #require(ServerName("local"))
        configuration = ClientConfiguration(defaultServer: local, servers: [
            local: .init(endpoint: "http://localhost:8080", token: "eyJ.l.l"),
            try #require(ServerName("far")): .init(endpoint: "https://far.example/base/", token: "eyJ.f.f"),
        ])
    }

    @Test("Each form means one cache, with the token of its server and no other", arguments: [
        ("hello", "local", "http://localhost:8080", "hello", "eyJ.l.l"),
        ("far:hello", "far", "https://far.example/base/", "hello", "eyJ.f.f"),
        ("https://far.example/base/hello", "far", "https://far.example/base", "hello", "eyJ.f.f"),
        ("https://FAR.example:443/base/hello/", "far", "https://far.example/base", "hello", "eyJ.f.f"),
        ("http://far.example/base/hello", "http://far.example/base", "http://far.example/base", "hello", nil),
        ("https://far.example/hello", "https://far.example", "https://far.example", "hello", nil),
        ("https://far.example.evil/base/hello", "https://far.example.evil/base", "https://far.example.evil/base", "hello", nil),
    ] as [(String, String, String, String, String?)])
    func forms(text: String, server: String, endpoint: String, cache: String, token: String?) throws {
        let resolved = try configuration.resolve(CacheReference(text))
        #expect(resolved.serverName == server)
        #expect("\(resolved.endpoint)" == endpoint)
        #expect(resolved.cache.rawValue == cache)
        #expect(resolved.token == token)
        #expect(try configuration.resolve(CacheReference(resolved.reference)).quoted == resolved.quoted)
        #expect(resolved.quoted == "\"\(cache)\" on \"\(server)\"")
    }

    @Test("Where a URL's server is known by several names, the default one is meant")
    func defaultFirst() throws {
        let one = ClientConfiguration.Server(endpoint: "http://localhost:8080", token: "one", tokenFile: nil)
        let two = ClientConfiguration.Server(endpoint: "http://localhost:8080/", token: "two", tokenFile: nil)
        var configuration = ClientConfiguration()
        for (name, server) in [("a", one), ("b", two)] { configuration.servers[try #require(ServerName(name))] = server }
        func token() throws -> String? { try configuration.resolve(CacheReference("http://localhost:8080/hello")).token }
        #expect(try token() == "one")
        configuration.defaultServer = ServerName("b")
        #expect(try token() == "two")
    }

    @Test("What names no cache is a usage failure", arguments: [
        "", ":", "a:", ":a", "a:b:c", "a b", "-a", "https://", "https://host", "https://host/", "https://host/a b", "https://u@h/c",
        "http://host/_api", "ftp://host/c", "https://host/c?x=1",
    ])
    func refused(text: String) {
        let failure = #expect(throws: ClientFailure.self) { try CacheReference(text) }
        #expect(failure?.kind == .usage)
    }

    @Test("A server that is not known is said to be so, with those that are")
    func unknown() throws {
        let failure = #expect(throws: ClientFailure.self) { try configuration.resolve(CacheReference("near:hello")) }
        #expect(failure?.kind == .usage && failure?.advice?.contains("far, local") == true)
        let none = #expect(throws: ClientFailure.self) { try ClientConfiguration().resolve(CacheReference("hello")) }
        #expect(none?.advice?.contains("tetryx login") == true)
    }
}
