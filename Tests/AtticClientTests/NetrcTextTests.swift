import AtticClient
import Testing

@Suite("netrc as text")
struct NetrcTextTests {
    private func edited(_ text: String, _ password: String = "eyJ.new.token", for machine: String = "cache.example") -> String {
        var netrc = NetrcText(Array(text.utf8))
        let isEdited = netrc.set(password, for: machine)
        #expect(isEdited)
        return String(decoding: netrc.bytes, as: UTF8.self)
    }

    @Test("An empty file gets one line")
    func empty() { #expect(edited("") == "machine cache.example password eyJ.new.token\n") }

    @Test("What is there stays, and a second run changes nothing", arguments: [
        "machine other password x\n", "machine other password x", "# machine cache.example password x\n",
        "machine other login a password \"b c\"\n", "machine\nother\nlogin\na\npassword\nb\n", "\n\t\n",
        "machine other password machine\n", "machine other login cache.example password q\n",
        "machine cache.example.org password z\n", "macdef init\nmachine cache.example password m\n\n",
        "machine other password \"unclosed\n",
    ])
    func others(text: String) {
        let once = edited(text)
        let kept = text.hasSuffix("\n") ? text : text + "\n"
        #expect(once == kept + "machine cache.example password eyJ.new.token\n")
        #expect(edited(once) == once)
    }

    @Test("A macro that goes on to the end is ended first", arguments: [
        "machine other macdef m\n cd machine cache.example password k\n", "macdef m", "macdef m\nx",
    ])
    func openMacro(text: String) {
        let once = edited(text)
        let kept = text.hasSuffix("\n") ? text : text + "\n"
        #expect(once == kept + "\nmachine cache.example password eyJ.new.token\n")
        #expect(edited(once) == once)
    }

    @Test("The same machine's password is replaced, and nothing else", arguments: [
        ("machine cache.example password OLD\n", "machine cache.example password eyJ.new.token\n"),
        ("machine CACHE.example login me password OLD # c\nmachine b password OLD\n",
            "machine CACHE.example login me password eyJ.new.token # c\nmachine b password OLD\n"),
        ("machine cache.example\n\tlogin me\n\tpassword OLD\nmachine b password OLD\n",
            "machine cache.example\n\tlogin me\n\tpassword eyJ.new.token\nmachine b password OLD\n"),
        ("machine cache.example password \"with \\\" quote\" login x\n", "machine cache.example password eyJ.new.token login x\n"),
        ("machine a password 1\nmachine cache.example login password password OLD",
            "machine a password 1\nmachine cache.example login password password eyJ.new.token"),
    ])
    func replaced(before: String, after: String) {
        #expect(edited(before) == after)
        #expect(edited(after) == after)
    }

    @Test("An entry without a password gets one")
    func filled() {
        #expect(edited("machine cache.example login me\nmachine b password x\n")
            == "machine cache.example password eyJ.new.token login me\nmachine b password x\n")
        #expect(edited("machine cache.example") == "machine cache.example password eyJ.new.token")
    }

    @Test("A new entry stands before the default one, which fits every host")
    func beforeDefault() {
        #expect(edited("machine a password b\ndefault login x password y\n")
            == "machine a password b\nmachine cache.example password eyJ.new.token\ndefault login x password y\n")
    }

    @Test("Words that need quotes are told apart", arguments: [
        ("eyJ0eXAiOiJKV1Qi.eyJ.x_-", true), ("", false), ("a b", false), ("a\nb", false), ("\"", false), ("\\", false),
        ("#a", false), ("ü", false), ("a#b", true),
    ])
    func words(text: String, isPlain: Bool) { #expect(NetrcText.isPlainWord(text) == isPlain) }

    @Test("A text that breaks off within an entry is left alone", arguments: ["machine", "machine a login", "machine a password\n"])
    func brokenOff(text: String) {
        var netrc = NetrcText(Array(text.utf8))
        let isEdited = netrc.set("x", for: "cache.example")
        #expect(!isEdited)
        #expect(netrc.bytes == Array(text.utf8))
    }

    @Test("Any text at all is either left alone or edited so that a second run changes nothing")
    func anything() {
        // Every short text over the pieces that mean something.
        let pieces = ["machine ", "cache.example ", "password ", "login ", "default ", "macdef x\n", "\"", "\\", "#", "\n", "q "]
        var failures: [String] = []
        for a in pieces { for b in pieces { for c in pieces { for d in pieces {
            let text = a + b + c + d
            var netrc = NetrcText(Array(text.utf8))
            let isEdited = netrc.set("eyJ.new.token", for: "cache.example")
            let once = netrc
            let isEditedAgain = netrc.set("eyJ.new.token", for: "cache.example")
            if isEdited != isEditedAgain || once != netrc || (!isEdited && once.bytes != Array(text.utf8)) { failures.append(text) }
        } } } }
        #expect(failures.isEmpty)
    }
}
