@testable import HTTPClient
import Testing

@Suite("References") struct URLReferenceTests {
    /// RFC 3986, section 5.4, as far as servers send them, and what is more to the point.
    @Test("are resolved", arguments: [
        ("g", "http://a/b/c/g"), ("./g", "http://a/b/c/g"), ("g/", "http://a/b/c/g/"), ("/g", "http://a/g"), ("//g", "http://g"),
        ("?y", "http://a/b/c/d;p?y"), ("g?y", "http://a/b/c/g?y"), ("#s", "http://a/b/c/d;p?q"), ("g#s", "http://a/b/c/g"),
        ("", "http://a/b/c/d;p?q"), (".", "http://a/b/c/"), ("./", "http://a/b/c/"), ("..", "http://a/b/"), ("../g", "http://a/b/g"),
        ("../..", "http://a/"), ("../../../../g", "http://a/g"), ("/./g", "http://a/g"), ("/../g", "http://a/g"), ("g.", "http://a/b/c/g."),
        ("..g", "http://a/b/c/..g"), ("./g/.", "http://a/b/c/g/"), ("g?y/../x", "http://a/b/c/g?y/../x"), ("https://b:1/c?d", "https://b:1/c?d"),
        ("HTTPS://B", "https://b"), ("//b:80/x", "http://b/x"),
    ])
    func resolves(reference: String, result: String) throws {
        #expect(try HTTPURL("http://a/b/c/d;p?q").resolving(reference).description == result)
    }

    @Test("of others than web servers are refused", arguments: ["mailto:x", "file:///etc/passwd", "http:g", "//u@h/", "///x", "/\u{E9}", "/a\r\nX: y", "a b"])
    func refuses(reference: String) throws {
        let base = try HTTPURL("http://a/b")
        #expect(throws: ClientError.self) { try base.resolving(reference) }
    }
}
