import Platform
import Support
import Testing

@Test("Names that go away from a directory are told in their order, and only those")
func removals() throws {
    let directory = try TemporaryDirectory()
    for name in ["stays", "a.lock", "b.lock", "moved"] { try directory.write("store/\(name)", text: "") }
    let watch = try DirectoryWatch(directory.file("store"))
    #expect(try watch.next(atMost: .zero).names.isEmpty)
    try File.remove(directory.file("store/b.lock"))
    try directory.write("store/new", text: "")
    try File.remove(directory.file("store/a.lock"))
    try File.rename(directory.file("store/moved"), to: directory.file("elsewhere"))
    #expect(try watch.next().names == ["b.lock", "a.lock", "moved"])
}

@Test("More names than one reading holds come one after another")
func manyRemovals() throws {
    let directory = try TemporaryDirectory()
    let names = (0..<2000).map { "\(String(repeating: "n", count: 100))-\($0)" }
    for name in names { try directory.write("store/\(name)", text: "") }
    let watch = try DirectoryWatch(directory.file("store"))
    for name in names { try File.remove(directory.file("store/\(name)")) }
    var found: [String] = []
    while found.count < names.count { found += try watch.next().names }
    #expect(found == names)
}

@Test("A directory that is removed, or is none, is told")
func goneDirectory() throws {
    let directory = try TemporaryDirectory()
    try Directory.make(directory.file("store"))
    let watch = try DirectoryWatch(directory.file("store"))
    try Directory.removeEmpty(directory.file("store"))
    #expect(try watch.next().isOver)
    #expect(throws: SystemError.self) { try DirectoryWatch(directory.file("store")) }
}
