import HTTPClient
import Testing

@Suite("URLs") struct HTTPURLTests {
    @Test("are taken apart", arguments: [
        ("http://localhost:8080", "localhost", 8080, "", nil, "localhost:8080"),
        ("HTTP://Example.ORG/", "example.org", 80, "/", nil, "example.org"),
        ("http://a:80/b/c?d=/e", "a", 80, "/b/c", "d=/e", "a"),
        ("https://a", "a", 443, "", nil, "a"),
        ("https://a:80/x", "a", 80, "/x", nil, "a:80"),
        ("http://[::1]:81/x", "::1", 81, "/x", nil, "[::1]:81"),
        ("http://[::1]", "::1", 80, "", nil, "[::1]"),
        ("http://127.0.0.1:/", "127.0.0.1", 80, "/", nil, "127.0.0.1"),
        ("http://a?q", "a", 80, "", "q", "a"),
    ] as [(String, String, UInt16, String, String?, String)])
    func parses(text: String, host: String, port: UInt16, path: String, query: String?, authority: String) throws {
        let url = try HTTPURL(text)
        #expect(url.host == host)
        #expect(url.port == port)
        #expect(url.path == path)
        #expect(url.query == query)
        #expect(url.authority == authority)
        #expect(try HTTPURL(url.description) == url)
    }

    @Test("that are malformed are refused", arguments: [
        "", "localhost:8080", "ftp://a", "http://", "http:///x", "http://a:0", "http://a:65536", "http://a:x", "http://a:+1",
        "http://u:p@a/", "http://a b/", "http://a/#f", "http://a/\u{E9}", "http://[::1", "http://[a]:1", "http://[::1]x",
        "http://a/\r\nX: y", "http://a:1:2", "http://::1/",
    ])
    func refuses(text: String) { #expect(throws: ClientError.self) { try HTTPURL(text) } }

    @Test("are extended without doubling the slash")
    func below() throws {
        #expect(try HTTPURL("http://a").path(below: "/x") == "/x")
        #expect(try HTTPURL("http://a/").path(below: "/x") == "/x")
        #expect(try HTTPURL("http://a/b/").path(below: "/x?y") == "/b/x?y")
        #expect(HTTPURL.segment("a/b c%é.~") == "a%2Fb%20c%25%C3%A9.~")
    }
}
