import AtticClient
import HTTP

@testable import HTTPClient
@testable import NixStore

extension FuzzTarget {
    /// What the client is told by its user, and the user's files that it edits.
    static let clientTexts = [
        FuzzTarget(text: "urls", byteCountMax: 512) { try checkURLs($0) },
        FuzzTarget("netrc", byteCountMax: 2048) { try checkNetrc($0) },
        FuzzTarget("nix-conf", byteCountMax: 2048) { try checkNixConf($0) },
    ]
}

private func checkURLs(_ text: String) throws {
    if let url = try? HTTPURL(text) {
        try same(try HTTPURL(url.description), url, "a URL that is written and read")
        // It becomes a request's target: nothing in it may end the line.
        let below = url.path(below: "/\(HTTPURL.segment(text))")
        let writer = HeadWriter(.get, target: below)
        try rule(writer.finish().count > below.utf8.count, "a head has a target")
        try rule(!url.host.isEmpty && !url.authority.utf8.contains { $0 <= 0x20 || $0 == 0x40 }, "a host is a host: \(url.authority)")
    }
    // What a server may send the client to, and what it is then asked for.
    if let next = try? HTTPURL("https://a.example/b/c?d").resolving(text) {
        try same(try HTTPURL(next.description), next, "a URL that a server named")
        let lines = HeadWriter(.get, target: next.target).finish() + HeadWriter(connectTo: next.placeWithPort).finish()
        try rule(lines.count { $0 == 0x0A } == 4, "a head of one line, twice")
    }
    let secure = try HTTPURL("https://a.example.org")
    if let proxy = try? ProxyRules(environment: ["https_proxy": text]).proxy(for: secure) {
        try rule(!"\(proxy)".contains("@"), "a proxy is shown without its password")
        try rule(proxy.authorization?.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } ?? true, "a header's value")
    }
    let rules = ProxyRules(environment: ["https_proxy": "p:1", "no_proxy": text])
    for url in [secure, try HTTPURL("https://10.1.2.3:81"), try HTTPURL("https://[2001:db8::1]")] { _ = try rules.proxy(for: url) }
    if let reference = try? CacheReference(text), case .url(let endpoint, _) = reference { _ = try HTTPURL(endpoint) }
    if let uri = try? StoreURI(parsing: text, workingDirectory: "/a/b") {
        for directory in [uri.root, uri.storeDirectory, uri.stateDirectory, uri.logDirectory, uri.physicalStoreDirectory] {
            guard let directory else { continue }
            try rule(directory.utf8.first == UInt8(ascii: "/"), "a directory is a whole path: \(directory)")
            try same(LocalStore.normalized(directory), directory, "a path in its shortest form")
        }
    }
    _ = try? TokenText.parse(text, from: "the corpus")
}

private func checkNetrc(_ bytes: [UInt8]) throws {
    var text = NetrcText(bytes)
    try same(text.bytes, bytes, "a netrc that was not changed")
    guard text.set("first", for: "example.org") else { return try same(text.bytes, bytes, "a netrc that cannot be changed") }
    let once = text.bytes
    try rule(text.set("first", for: "Example.org") && text.bytes == once, "a password that is set again changes nothing")
    // Setting it back and forth changes the password and nothing else.
    try rule(text.set("second", for: "example.org"), "a password that was set can be changed")
    try same(text.bytes.count, once.count + 1, "only the password is changed")
    try rule(text.set("first", for: "example.org"), "and changed back")
    try same(text.bytes, once, "a password that is changed and changed back")
    if text.set("other", for: "other.example.org") {
        let both = text.bytes
        try rule(text.set("first", for: "example.org") && text.bytes == both, "a machine does not change another's password")
    }
}

private func checkNixConf(_ bytes: [UInt8]) throws {
    var text = ConfigText(bytes)
    try same(text.bytes, bytes, "a nix.conf that was not changed")
    text.addSubstituter("https://example.org/a")
    let once = text
    text.addSubstituter("https://example.org/a/")
    try same(text, once, "a substituter that is added again changes nothing")
    let change = text.trust("a-1:AAAA")
    let trusted = text
    let again = text.trust("a-1:AAAA")
    try same(text, trusted, "a key that is trusted again changes nothing (\(change), \(again))")
    switch again {
    case .kept, .hiddenBehind: break
    case .added, .replaced: throw BrokenRule("a key that is trusted is not trusted again: \(change), \(again)")
    }
    // What its owner wrote stands there still, but for a key that was replaced.
    if case .replaced = change { return }
    var rest = bytes[...]
    for byte in text.bytes where byte == rest.first { rest = rest.dropFirst() }
    try rule(rest.isEmpty, "an edited text has every byte that it had")
    // It reads back as it is held.
    try same(ConfigText(text.bytes), text, "a nix.conf that is written and read")
    var appended = text
    appended.append("netrc-file", "/a/netrc")
    try same(appended.value(of: "netrc-file"), "/a/netrc", "a setting that is appended counts")
}
