@testable import AtticClient
import AtticAPI
import HTTPClient
import NixStore
import Testing

@Suite("What commands say")
struct MessagesTests {
    @Test("A cache is shown as the tutorial has it")
    func info() {
        let config = CacheConfig(
            substituterEndpoint: "http://localhost:8080/hello", apiEndpoint: "http://localhost:8080/",
            publicKey: "hello:vlsd7ZHIXNnKXEQShVnd7erE8zcuSKrBWRpV6zTibnA=", isPublic: true, storeDirectory: "/nix/store",
            priority: 41, upstreamCacheKeyNames: ["cache.nixos.org-1"], retentionPeriod: .global)
        #expect(ShowCache.table(of: config) == """
                           Public: true
                       Public Key: hello:vlsd7ZHIXNnKXEQShVnd7erE8zcuSKrBWRpV6zTibnA=
            Binary Cache Endpoint: http://localhost:8080/hello
                     API Endpoint: http://localhost:8080/
                  Store Directory: /nix/store
                         Priority: 41
              Upstream Cache Keys: ["cache.nixos.org-1"]
                 Retention Period: Global Default
            """)
    }

    @Test("Retention periods are words", arguments: [(0, "Unlimited"), (1, "1 second"), (7_890_048, "3 months")] as [(Int64, String)])
    func retention(seconds: Int64, words: String) {
        let table = ShowCache.table(of: CacheConfig(retentionPeriod: .period(seconds: seconds)))
        #expect(table == "     Retention Period: \(words)")
    }

    @Test("A path that was pushed is said with its rate, and what of it was there already", arguments: [
        (.uploaded, nil, "52.89 MiB/s"), (.uploaded, 0.01, "52.89 MiB/s"), (.uploaded, 0.4, "52.89 MiB/s, 40.0% deduplicated"),
        (.deduplicated, 1, "deduplicated"),
    ] as [(UploadPathResult.Kind, Double?, String)])
    func pushed(kind: UploadPathResult.Kind, fraction: Double?, words: String) throws {
        let info = try TestPaths.info(7, narSize: 55_459_185)
        let line = PushReport.line(info, UploadPathResult(kind: kind, fracDeduplicated: fraction), elapsed: .seconds(1))
        #expect(line == "✅ \(info.path.baseName) (\(words))")
    }

    private func target(token: String?) throws -> ResolvedCache {
        ResolvedCache(
            serverName: "local", endpoint: try HTTPURL("http://[::1]:8080/base/"), token: token, cache: try #require(CacheName("hello")))
    }

    @Test("What Nix is told comes from the server, and the token goes to the host that Nix pulls from")
    func settings() throws {
        let key = "hello:vlsd7ZHIXNnKXEQShVnd7erE8zcuSKrBWRpV6zTibnA="
        let settings = try UseCache.settings(
            of: CacheConfig(substituterEndpoint: "https://cdn.example:8443/hello", publicKey: key), target(token: "t"))
        #expect(settings == NixFiles.Cache(
            substituter: "https://cdn.example:8443/hello", publicKey: key, credentials: NixFiles.Credentials(host: "cdn.example", token: "t", isForItsServer: false)))
        let unsaid = try UseCache.settings(of: CacheConfig(), target(token: "t"))
        #expect(unsaid == NixFiles.Cache(
            substituter: "http://[::1]:8080/base/hello", publicKey: nil, credentials: NixFiles.Credentials(host: "::1", token: "t")))
        #expect(try UseCache.settings(of: CacheConfig(), target(token: nil)).credentials == nil)
    }

    @Test("A server cannot write lines of its own into nix.conf", arguments: [
        CacheConfig(substituterEndpoint: "http://h/c\npost-build-hook = /bin/sh"), CacheConfig(substituterEndpoint: "http://h/c x"),
        CacheConfig(substituterEndpoint: "http://h/c#x"), CacheConfig(substituterEndpoint: "file:///nix"),
        CacheConfig(publicKey: "a:vlsd7ZHIXNnKXEQShVnd7erE8zcuSKrBWRpV6zTibnA=\nx = y"),
        CacheConfig(publicKey: "a b:vlsd7ZHIXNnKXEQShVnd7erE8zcuSKrBWRpV6zTibnA="), CacheConfig(publicKey: "hello"),
    ])
    func hostile(config: CacheConfig) throws {
        let target = try target(token: "t")
        let failure = #expect(throws: ClientFailure.self) { try UseCache.settings(of: config, target) }
        #expect(failure?.kind == .failed)
    }
}
