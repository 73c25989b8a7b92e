import Testing

@testable import Nix

private let hash = "nwh8yh1fm1x62jpsl5yl4p8z4c03w5li"

@Test("A store path is taken apart and put together again")
func storePathParts() throws {
    let path = try StorePath(absolute: "/nix/store/\(hash)-tool-1.0.drv")
    #expect(path.baseName == "\(hash)-tool-1.0.drv")
    #expect(path.hash.description == hash)
    #expect(path.name == "tool-1.0.drv")
    #expect(path.isDerivation)
    #expect(path.absolute() == "/nix/store/\(hash)-tool-1.0.drv")
    #expect(path.absolute(in: "/data/store") == "/data/store/\(hash)-tool-1.0.drv")
    #expect(try StorePath(absolute: "/data/store/\(hash)-x", storeDirectory: "/data/store").name == "x")
}

@Test("Names that Nix allows", arguments: ["x", "A+b-._?=9", ".hidden", "...", ".a-b", "-x", String(repeating: "n", count: 211)])
func allowedNames(_ name: String) throws {
    #expect(try StorePath(baseName: "\(hash)-\(name)").name == name)
}

@Test(
    "Names that Nix refuses",
    arguments: ["", ".", "..", ".-x", "..-x", "a/b", "a b", "ü", "a\n", "a\0", "a~", String(repeating: "n", count: 212)])
func refusedNames(_ name: String) {
    #expect(throws: NixFormatError.self) { try StorePath(baseName: "\(hash)-\(name)") }
}

@Test(
    "What is no store path",
    arguments: [
        "/nix/store", "/nix/store/", "/nix/store/\(hash)", "/nix/store/\(hash)-", "/nix/stor/\(hash)-x", "nix/store/\(hash)-x",
        "/nix/store/\(hash)-x/bin", "/nix/store/\(hash.uppercased())-x", "/nix/store/e\(hash.dropFirst())-x",
        "/nix/store/\(hash)_x", "/nix/store//\(hash)-x",
    ])
func notAStorePath(_ path: String) {
    #expect(throws: NixFormatError.self) { try StorePath(absolute: path) }
}

@Test("A hash is 32 characters of the alphabet and nothing else")
func hashForm() {
    #expect(StorePathHash(hash)?.description == hash)
    #expect(StorePathHash(Substring(hash)) != nil)
    #expect(StorePathHash(utf8: Array(hash.utf8)) == StorePathHash(hash))
    for wrong in ["", String(hash.dropLast()), hash + "0", "e" + hash.dropFirst(), "É" + hash.dropFirst(2)] {
        #expect(StorePathHash(wrong) == nil, "\(wrong)")
    }
    for character in UInt8.min...UInt8.max {
        let isInAlphabet = "0123456789abcdfghijklmnpqrsvwxyz".utf8.contains(character)
        let text = [character] + Array(hash.utf8.dropFirst())
        #expect((StorePathHash(utf8: text) != nil) == isInAlphabet)
    }
}

@Test("Hashes and paths sort by their text")
func order() throws {
    let texts = [
        "00000000000000000000000000000000", "0000000000000000000000000000000z", "000000000000000z0000000000000000",
        "z0000000000000000000000000000000",
    ]
    let hashes = texts.compactMap { StorePathHash($0) }
    #expect(hashes.reversed().sorted().map(\.description) == texts)
    let paths = try ["\(texts[0])-a", "\(texts[0])-b", "\(texts[3])-a"].map { try StorePath(baseName: $0) }
    #expect(Array(paths.reversed()).sorted() == paths)
    #expect(paths[0] != paths[1])
}
