import Testing

@testable import Nix

/// What Nix 2.8.0 wrote for this tree (`nix copy --to 'file://…?write-nar-listing=true'`), byte for byte.
private let nixListing: [UInt8] =
    Array(#"{"version":1,"root":{"type":"directory","entries":{"a":{"type":"regular","size":3,"narOffset":232},"#.utf8)
    + Array(#""badlink":{"type":"symlink","target":"t\u0001\""#.utf8) + [0xff] + Array(#""},"bad"#.utf8) + [0xff, 0xfe]
    + Array(#"":{"type":"regular","size":1,"narOffset":616},"empty":{"type":"directory","entries":{}},"#.utf8)
    + Array(#""link":{"type":"symlink","target":"../x"},"q\"uo\\te":{"type":"directory","entries":{"f":{"type":"regular","#.utf8)
    + Array(#""size":2,"narOffset":1304}}},"run":{"type":"regular","size":4,"executable":true,"narOffset":1560},"#.utf8)
    + Array(#""sub":{"type":"directory","entries":{}},"tab\tnl\nbell\u0007 del"#.utf8) + [0x7f]
    + Array(#"":{"type":"regular","size":1,"narOffset":1936},"zero":{"type":"regular","size":0,"narOffset":2128},"#.utf8)
    + Array(#""ü-名":{"type":"regular","size":1,"narOffset":2312}}}}"#.utf8)

private func nixTree() -> [UInt8] {
    var writer = NarWriter()
    func file(_ name: [UInt8], _ contents: String, isExecutable: Bool = false) {
        writer.entry(name: name)
        writer.file(Array(contents.utf8), isExecutable: isExecutable)
    }
    func emptyDirectory(_ name: String) {
        writer.entry(name: name)
        writer.beginDirectory()
        writer.endDirectory()
    }
    writer.beginDirectory()
    file(Array("a".utf8), "foo")
    writer.entry(name: "badlink")
    writer.symbolicLink(target: Array("t\u{1}\"".utf8) + [0xff])
    file(Array("bad".utf8) + [0xff, 0xfe], "z")
    emptyDirectory("empty")
    writer.entry(name: "link")
    writer.symbolicLink(target: "../x")
    writer.entry(name: "q\"uo\\te")
    writer.beginDirectory()
    file(Array("f".utf8), "1\n")
    writer.endDirectory()
    file(Array("run".utf8), "bar\n", isExecutable: true)
    emptyDirectory("sub")
    file(Array("tab\tnl\nbell\u{7} del\u{7f}".utf8), "y")
    file(Array("zero".utf8), "")
    file(Array("ü-名".utf8), "x")
    writer.endDirectory()
    return writer.bytes
}

private func listing(_ pieces: [[UInt8]]) throws -> [UInt8] {
    var reader = NarReader()
    var writer = NarListingWriter()
    var text: [UInt8] = []
    for piece in pieces {
        var position = 0
        while let event = try reader.next(in: piece, at: &position) { writer.add(event) }
        text += writer.take()
    }
    try reader.finish()
    #expect(writer.byteCount == text.count && writer.waitingByteCount == 0)
    return text
}

@Test("A listing is the one that Nix writes, byte for byte, however the NAR comes in")
func listingAsNix() throws {
    let nar = nixTree()
    #expect(try listing([nar]) == nixListing)
    #expect(try listing(nar.map { [$0] }) == nixListing)
    for split in 0...nar.count { #expect(try listing([Array(nar[..<split]), Array(nar[split...])]) == nixListing) }
}

@Test("A file or a link at the root is listed without entries")
func listingOfRoots() throws {
    var file = NarWriter()
    file.file([1], isExecutable: true)
    #expect(try String(decoding: listing([file.bytes]), as: UTF8.self)
        == #"{"version":1,"root":{"type":"regular","size":1,"executable":true,"narOffset":128}}"#)
    var link = NarWriter()
    link.symbolicLink(target: "/x")
    #expect(try String(decoding: listing([link.bytes]), as: UTF8.self) == #"{"version":1,"root":{"type":"symlink","target":"/x"}}"#)
}

// MARK: Listings that are read

private func canonical(_ pieces: [[UInt8]]) throws -> [UInt8] {
    var reader = NarListingReader()
    var text: [UInt8] = []
    for piece in pieces {
        try unsafe piece.withUnsafeBytes { try unsafe reader.feed($0) }
        text += reader.take()
    }
    try reader.finish()
    return text + reader.take()
}

private func canonical(_ text: String) throws -> String { String(decoding: try canonical([Array(text.utf8)]), as: UTF8.self) }

@Test("A listing that is read comes out as it was, whole, byte by byte, and split at every position")
func listingRead() throws {
    #expect(try canonical([nixListing]) == nixListing)
    #expect(try canonical(nixListing.map { [$0] }) == nixListing)
    for split in 0...nixListing.count {
        #expect(try canonical([Array(nixListing[..<split]), Array(nixListing[split...])]) == nixListing)
    }
}

/// The same tree by Nix 2.35, as its sources have it: members sorted, `executable` always there.
private let newerListing = #"""
    {"root":{"entries":{"bin":{"entries":{"x":{"executable":true,"narOffset":400,"size":4,"type":"regular"}},"type":"directory"},
     "f":{"executable":false,"narOffset":900,"size":0,"type":"regular"},"l":{"target":"\u00fc\ud83d\ude00\/","type":"symlink"}},"type":"directory"},"version":1}
    """#
private let olderListing =
    #"{"version":1,"root":{"type":"directory","entries":{"bin":{"type":"directory","entries":{"x":{"type":"regular","size":4,"#
    + #""executable":true,"narOffset":400}}},"f":{"type":"regular","size":0,"narOffset":900},"l":{"type":"symlink","target":"ü😀/"}}}}"#

@Test("Members in any order, false marks, white space, escapes and members that we do not know make no difference")
func listingForms() throws {
    #expect(try canonical(newerListing) == olderListing)
    let bytes = Array(newerListing.utf8)
    for split in 0...bytes.count {
        #expect(try canonical([Array(bytes[..<split]), Array(bytes[split...])]) == Array(olderListing.utf8))
    }
    let future = #" { "new" : [ 1 , { "type" : [] } , "x" , null ] , "version" : 1 , "root" : { "type" : "symlink" , "mode" : {"a":{}} , "target" : "x" , "n":-1.5e3 } } "#
    #expect(try canonical(future) == #"{"version":1,"root":{"type":"symlink","target":"x"}}"#)
}

@Test("What is no listing is refused, and where", arguments: [
    ("", 0, "too early"), ("{", 1, "too early"), (#"{"version":1}"#, 13, "no \"root\""), (#"{"root":{"type":"symlink","target":"x"}}"#, 40, "no \"version\""),
    (#"{"version":2,"#, 12, "version is 2"), (#"{"version":"1","#, 14, "string"), ("[]", 1, "array"), ("x", 1, "x is not"),
    (#"{"version":1,"root":[]}"#, 21, "array"), (#"{"version":1,"root":{}}"#, 22, "no \"type\""), (#"{"version":1,"root":{},"#, 22, "no \"type\""),
    (#"{"version":1,"root":{"type":"socket"}}"#, 37, "none of"), (#"{"version":1,"root":{"type":"regular"}}"#, 38, "no \"size\""),
    (#"{"version":1,"root":{"type":"regular","size":-1}}"#, 47, "number of bytes"), (#"{"version":1,"root":{"type":"regular","size":1e3}}"#, 48, "number of bytes"),
    (#"{"version":1,"root":{"type":"regular","size":99999999999999999999}}"#, 65, "number of bytes"),
    (#"{"version":1,"root":{"type":"symlink"}}"#, 38, "no \"target\""), (#"{"version":1,"root":{"type":"directory"}}"#, 40, "no \"entries\""),
    (#"{"version":1,"root":{"type":"regular","size":1,"executable":1}}"#, 61, "neither true"),
    (#"{"version":1,"root":{"entries":{},"type":"symlink","target":"x"}}"#, 64, "only a directory"),
    (#"{"version":1,"root":{"entries":{},"entries":{"#, 45, "twice"), (#"{"version":1,"root":{"type":"directory","entries":{"":"#, 53, "name"),
    (#"{"version":1,"root":{"entries":{"a/b":"#, 37, "name"), (#"{"version":1,"root":{"entries":{"a":1"#, 37, "1 is not expected"),
    (#"{"version":1,"root":{"entries":{"b":{"type":"symlink","target":"x"},"a":"#, 71, "sorted"),
    (#"{"version":1,"root":{"entries":{"a":{"type":"symlink","target":"x"},"a":"#, 71, "sorted"),
    (#"{"version" 1}"#, 12, "not expected"), (#"{"version":1,}"#, 14, "not expected"), ("{\"a\u{1}", 4, "control"), (#"{"\x"#, 4, "escape"), (#"{"\u12g"#, 7, "escape"),
    (#"{"\ud800x"#, 9, "partner"), (#"{"\udc00"#, 8, "partner"), (#"{"\ud800\n"#, 10, "escape"), (#"{"a":]"#, 6, "not expected"), (#"{"a":[}"#, 7, "not expected"), ("?", 1, "byte 63"),
])
func listingFlaws(text: String, offset: Int64, reason: String) {
    for pieces in [[Array(text.utf8)], text.utf8.map { [$0] }] {
        do {
            _ = try canonical(pieces)
            Issue.record("taken: \(text)")
        } catch let error as NarListingError {
            #expect(error.reason.contains(reason) && error.offset == offset, "\(text): \(error)")
        } catch { Issue.record("\(error)") }
    }
}

@Test("What follows a listing is refused, and nothing nests or grows without end")
func listingBounds() {
    let whole = #"{"version":1,"root":{"type":"symlink","target":"x"}}"#
    #expect(throws: NarListingError.self) { try canonical(whole + "{") }
    #expect(throws: Never.self) { try canonical(whole + " \n") }
    #expect(throws: NarListingError.self) { try canonical(String(repeating: #"{"root":"#, count: 100_000)) }
    #expect(throws: NarListingError.self) { try canonical(#"{"x":"# + String(repeating: "[", count: 100_000)) }
    #expect(throws: NarListingError.self) { try canonical(#"{"x":""# + String(repeating: "a", count: 5000) + "\"") }
    #expect(throws: NarListingError.self) { try canonical(#"{"x":"# + String(repeating: "1", count: 100)) }
    #expect(throws: NarListingError.self) { try canonical(#"{"version":1,"root":{"entries":{""# + String(repeating: "a", count: 256) + "\"") }
}

@Test("No change of a single byte makes the reader trap or run on")
func listingMutations() {
    for index in nixListing.indices {
        for change: UInt8 in [1, 0x20, 0x80, 0xff] {
            var changed = nixListing
            changed[index] ^= change
            _ = try? canonical([changed])
        }
    }
}
