import AtticClient
import Testing

@Suite("nix.conf as text")
struct ConfigTextTests {
    private let url = "http://localhost:8080/hello"
    private let key = "hello:vlsd7ZHIXNnKXEQShVnd7erE8zcuSKrBWRpV6zTibnA="

    /// What the text is after a cache was added.
    private func edited(_ text: String) -> String {
        var config = ConfigText(Array(text.utf8))
        config.addSubstituter(url)
        _ = config.trust(key)
        return String(decoding: config.bytes, as: UTF8.self)
    }

    @Test("An empty file gets two lines")
    func empty() {
        #expect(edited("") == "extra-substituters = \(url)\nextra-trusted-public-keys = \(key)\n")
    }

    @Test("Every other byte stays, and a second run changes nothing", arguments: [
        "# mine\nmax-jobs = 4\n", "max-jobs = 4", "\n\n  \t\n", "a = b\r\nc = d\r\n", "include other.conf\n",
        "experimental-features   =   nix-command flakes   # yes\n", "not a setting\n", "substituters = https://cache.nixos.org\n",
        "#extra-substituters = http://elsewhere\n", "keep = \u{1F600}\n", "extra-substituters-not = x\n",
    ])
    func others(text: String) {
        let once = edited(text)
        #expect(once.hasPrefix(text))
        #expect(once.contains("extra-substituters = \(url)\n") && once.contains("extra-trusted-public-keys = \(key)\n"))
        #expect(edited(once) == once)
    }

    @Test("Bytes that are not UTF-8 stay")
    func notText() {
        let bytes: [UInt8] = [0xFF, 0x00, 0x0A, 0xC3, 0x28, 0x0A]
        var config = ConfigText(bytes)
        config.addSubstituter(url)
        #expect(Array(config.bytes[..<bytes.count]) == bytes)
    }

    @Test("A list that is there is added to, comment and end of line kept")
    func added() {
        #expect(
            edited("extra-substituters =  http://a  # ours\r\nextra-trusted-public-keys = a:b\n")
                == "extra-substituters =  http://a \(url)  # ours\r\nextra-trusted-public-keys = a:b \(key)\n")
        #expect(edited("extra-substituters =\n").hasPrefix("extra-substituters = \(url)\n"))
    }

    @Test("A cache that a list in effect has is not added again", arguments: [
        "substituters = http://localhost:8080/hello\n", "substituters = https://x http://localhost:8080/hello/ # c\n",
        "extra-substituters = http://localhost:8080/hello\n", "binary-caches = http://localhost:8080/hello\n",
        "trusted-substituters = y\nextra-binary-caches = http://localhost:8080/hello https://z\n",
    ])
    func present(text: String) {
        var config = ConfigText(Array(text.utf8))
        config.addSubstituter(url)
        #expect(config.bytes == Array(text.utf8))
    }

    @Test("A plain list throws away what stands before it, so the addition follows it")
    func overridden() {
        let text = "extra-substituters = \(url)\nsubstituters = https://cache.nixos.org\n"
        var config = ConfigText(Array(text.utf8))
        config.addSubstituter(url)
        #expect(String(decoding: config.bytes, as: UTF8.self) == text + "extra-substituters = \(url)\n")
    }

    @Test("The last of several lists is added to: before Nix 2.4 it is the one that counts")
    func last() {
        var config = ConfigText(Array("extra-substituters = a\nextra-substituters = b\n".utf8))
        config.addSubstituter(url)
        #expect(String(decoding: config.bytes, as: UTF8.self) == "extra-substituters = a\nextra-substituters = b \(url)\n")
    }

    @Test("A new key takes the place of an old one of the same name")
    func replaced() {
        var config = ConfigText(Array("extra-trusted-public-keys = x:1 hello:OLD= y:2 # keys\n".utf8))
        #expect(config.trust(key) == .replaced("hello:OLD="))
        #expect(String(decoding: config.bytes, as: UTF8.self) == "extra-trusted-public-keys = x:1 \(key) y:2 # keys\n")
        #expect(config.trust(key) == .kept)
    }

    @Test("A list that its owner wrote in full is not changed, and hides the new key")
    func hidden() {
        let text = "trusted-public-keys = hello:OLD=\n"
        var config = ConfigText(Array(text.utf8))
        #expect(config.trust(key) == .hiddenBehind("hello:OLD="))
        let once = config
        #expect(String(decoding: once.bytes, as: UTF8.self) == text + "extra-trusted-public-keys = \(key)\n")
        #expect(config.trust(key) == .hiddenBehind("hello:OLD="))
        #expect(config == once)
    }

    @Test("A key whose name begins like another's is another key")
    func prefix() {
        var config = ConfigText(Array("extra-trusted-public-keys = hello-world:a= hell:b=\n".utf8))
        #expect(config.trust(key) == .added)
    }

    @Test("Values are found: the last one counts, comments do not")
    func values() {
        let config = ConfigText(Array("netrc-file = /a\n# netrc-file = /c\nnetrc-file = /b # x\nnetrc-file=/d\ninclude i\n!include /j\n".utf8))
        #expect(config.value(of: "netrc-file") == "/b")
        #expect(config.value(of: "netrc") == nil)
        #expect(config.includes == ["i", "/j"])
    }
}
