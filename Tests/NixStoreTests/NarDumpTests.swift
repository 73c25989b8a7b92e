import Glibc
import Nix
import NixStore
import Platform
import Support
import Testing

/// The whole NAR, put together from pieces of which none may be larger than agreed.
private func dump(_ path: String, bufferByteCount: Int = NarDump.bufferByteCount, readers: Int = 0) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try unsafe NarDump.dump(path: path, bufferByteCount: bufferByteCount, readers: readers) { piece in
        let byteCount = piece.count
        #expect(byteCount > 0 && byteCount <= bufferByteCount)
        unsafe bytes.append(contentsOf: piece)
    }
    return bytes
}

private func makeExecutable(_ path: String, _ mode: mode_t = 0o755) { _ = unsafe chmod(path, mode) }

private func link(_ target: String, _ path: String) { _ = unsafe symlink(target, path) }

/// A tree with what makes NARs differ.
private func oddTree() throws -> TemporaryDirectory {
    let tree = try TemporaryDirectory()
    try tree.write("t/with space", text: "x")
    try tree.write("t/naïve-Ünïcode-名", text: "unicode")
    try tree.write("t/UPPER", text: "A")
    try tree.write("t/upper", text: "a")
    try tree.write("t/.hidden-empty", [])
    try tree.write("t/..dots", text: "dots")
    try tree.write("t/a\nnewline", text: "n")
    try tree.write("t/\u{7f}\u{1}", text: "control")
    try tree.write("t/" + String(repeating: "n", count: 255), text: "longest name")
    for size in [1, 7, 8, 9, 4095, 4096, 4097, 70_000] {
        try tree.write("t/sizes/\(size)", (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    }
    makeExecutable(try tree.write("t/bin/all", text: "#!/bin/sh\n"))
    makeExecutable(try tree.write("t/bin/owner-only", text: "#!/bin/sh\n"), 0o744)
    makeExecutable(try tree.write("t/bin/group-only", text: "#!/bin/sh\n"), 0o654)
    makeExecutable(try tree.write("t/bin/empty", []))
    for directory in ["t/empty", "t/a/b/c/d/e/f/g", "t/-"] { try Directory.make(tree.file(directory)) }
    link("../does/not/exist", tree.file("t/dangling"))
    link("/", tree.file("t/absolute"))
    link("bin/all", tree.file("t/relative"))
    link("empty", tree.file("t/to-directory"))
    link(String(repeating: "l", count: 4000), tree.file("t/long-target"))
    link("名", tree.file("t/unicode-target"))
    return tree
}

/// Names that share their beginnings, in an order that is not theirs; 1,500 of them take more than one listing.
private func wideTree(_ count: Int) throws -> TemporaryDirectory {
    let tree = try TemporaryDirectory()
    for number in 0..<count {
        let name = String(number &* 7919 % count, radix: 36)
        try tree.write("t/\(number % 3 == 0 ? "common-prefix-of-names-" : "")\(name)\(number % 2 == 0 ? "" : "Ü")", text: name)
    }
    return tree
}

private func deepTree(_ depth: Int) throws -> TemporaryDirectory {
    let tree = try TemporaryDirectory()
    var path = tree.file("t")
    try Directory.make(path)
    for level in 0..<depth {
        if level % 10 == 0 { try tree.write(path.dropFirst(tree.path.count + 1) + "/file-\(level)", text: "\(level)") }
        if level % 10 == 0 { try tree.write(path.dropFirst(tree.path.count + 1) + "/a", text: "\(level)") }
        path += "/d"
        _ = unsafe mkdir(path, 0o755)
    }
    return tree
}

private func wide() throws -> TemporaryDirectory { try wideTree(150) }
private func deep() throws -> TemporaryDirectory { try deepTree(100) }

@Suite("Dumping trees as Nix does")
struct NarDumpAgainstNix {
    private func check(_ tree: TemporaryDirectory) throws {
        let nix = try Subprocess.run(["nix-store", "--dump", tree.file("t")])
        try #require(nix.isSuccess, "\(nix.errorText)")
        for bufferByteCount in [4096, 5000, 64 << 10, NarDump.bufferByteCount] {
            let isSame = try dump(tree.file("t"), bufferByteCount: bufferByteCount) == nix.standardOutput
            #expect(isSame, "with a buffer of \(bufferByteCount)")
        }
        for readers in [1, 2, 5] {
            let isSame = try dump(tree.file("t"), bufferByteCount: 5000, readers: readers) == nix.standardOutput
            #expect(isSame, "with \(readers) readers")
        }
    }

    @Test("Odd names, kinds, sizes and bits", .enabled(if: ScratchNix.isWanted))
    func odd() throws { try check(try oddTree()) }

    @Test("Directories of many names", .enabled(if: ScratchNix.isWanted))
    func manyNames() throws { try check(try wideTree(1500)) }

    @Test("More directories within one another than stay open", .enabled(if: ScratchNix.isWanted))
    func manyLevels() throws { try check(try deepTree(300)) }

    @Test("A file, an executable, a link and an empty directory as the root", .enabled(if: ScratchNix.isWanted))
    func roots() throws {
        let file = try TemporaryDirectory()
        try file.write("t", text: "alone")
        try check(file)
        makeExecutable(file.file("t"))
        try check(file)
        let links = try TemporaryDirectory()
        link("nowhere", links.file("t"))
        try check(links)
        let empty = try TemporaryDirectory()
        try Directory.make(empty.file("t"))
        try check(empty)
    }
}

@Test("A dump reads back, every buffer size giving the same bytes", arguments: [oddTree, wide, deep])
func dumpReadsBack(_ make: @Sendable () throws -> TemporaryDirectory) throws {
    let tree = try make()
    let bytes = try dump(tree.file("t"))
    var reader = NarReader()
    var position = 0
    var contents: [String: [UInt8]] = [:]
    var path: [String] = []
    var begun: [UInt8] = []
    while let event = try reader.next(in: bytes, at: &position) {
        switch event {
        case .directoryBegin: path.append("")
        case .directoryEnd: path.removeLast()
        case .entry(let name): path[path.count - 1] = String(decoding: name, as: UTF8.self)
        case .fileBegin: begun = []
        case .fileBytes(let range): begun += bytes[range]
        case .fileEnd: contents[path.joined(separator: "/")] = begun
        case .symbolicLink(let target):
            let target = String(decoding: target, as: UTF8.self)
            #expect(try File.linkTarget(tree.file("t/" + path.joined(separator: "/"))) == target)
        }
    }
    try reader.finish()
    #expect(!contents.isEmpty)
    for (name, bytes) in contents {
        let isSame = try File.readAll(tree.file("t/\(name)")) == bytes
        #expect(isSame, "\(name)")
    }
    for (bufferByteCount, readers) in [(4096, 0), (8192 + 1, 0), (4096, 1), (NarDump.bufferByteCount, 4)] {
        let isSame = try dump(tree.file("t"), bufferByteCount: bufferByteCount, readers: readers) == bytes
        #expect(isSame)
    }
}

// MARK: - What cannot be dumped

private func failure(_ path: String, bufferByteCount: Int = 4096, _ meanwhile: () throws -> Void = {}) -> NarDumpError? {
    var isFirst = true
    do throws(NarDumpFailure<any Error>) {
        try unsafe NarDump.dump(path: path, bufferByteCount: bufferByteCount) { _ throws(any Error) in
            if isFirst { try meanwhile() }
            isFirst = false
        }
        return nil
    } catch {
        guard case .tree(let error) = error else {
            Issue.record("\(error)")
            return nil
        }
        return error
    }
}

@Test("A file that grows while it is dumped is an error")
func growing() throws {
    let tree = try TemporaryDirectory()
    let path = try tree.write("t/big", [UInt8](repeating: 7, count: 100_000))
    let error = failure(tree.file("t")) { try tree.write("t/big", [UInt8](repeating: 7, count: 100_001)) }
    #expect(error == .changed(path: path, how: "grew"))
}

@Test("A file that becomes shorter while it is dumped is an error", arguments: [0, 4096, 99_999])
func shrinking(_ byteCount: Int64) throws {
    let tree = try TemporaryDirectory()
    let path = try tree.write("t/big", [UInt8](repeating: 7, count: 100_000))
    let error = failure(tree.file("t")) { try File.open(path, .readWrite).truncate(to: byteCount) }
    #expect(error == .changed(path: path, how: "became shorter"))
}

@Test("What changes its kind or goes away after it was listed is an error, and no link is followed")
func replaced() throws {
    let tree = try TemporaryDirectory()
    try tree.write("t/a", [UInt8](repeating: 7, count: 100_000))
    let file = try tree.write("t/b", text: "b")
    #expect(
        failure(tree.file("t")) {
            try File.remove(file)
            link("/etc/passwd", file)
        } == .changed(path: file, how: "became something else"))
    #expect(
        failure(tree.file("t")) { try File.remove(file) }
            == .system(SystemError("read link", file, .noSuchFile)))
    try tree.write("t/c/d", text: "d")
    let directory = tree.file("t/c")
    #expect(
        failure(tree.file("t")) {
            try File.rename(directory, to: tree.file("elsewhere"))
            link("elsewhere", directory)
        } == .changed(path: directory, how: "became something else"))
}

@Test("Pipes, sockets and devices are refused by name")
func kinds() throws {
    let tree = try TemporaryDirectory()
    try Directory.make(tree.file("t/in"))
    let path = tree.file("t/in/pipe")
    _ = unsafe mkfifo(path, 0o644)
    #expect(failure(tree.file("t")) == .unsupportedKind(path: path, kind: "a named pipe"))
    #expect(failure(path) == .unsupportedKind(path: path, kind: "a named pipe"))
    #expect(failure("/dev/null") == .unsupportedKind(path: "/dev/null", kind: "a character device"))
}

@Test("A path that is not there is named")
func missing() throws {
    let tree = try TemporaryDirectory()
    #expect(failure(tree.file("t")) == .system(SystemError("look at", tree.file("t"), .noSuchFile)))
}

@Test("A file that cannot be opened is named")
func unreadable() throws {
    // Nobody may read this file of the kernel, not even root.
    let closed = "/proc/sys/vm/drop_caches"
    #expect(failure(closed) == .system(SystemError("open", closed, .accessDenied)))
    if geteuid() == 0 { return }
    let tree = try TemporaryDirectory()
    let path = try tree.write("t/in/secret", text: "s")
    _ = unsafe chmod(path, 0)
    #expect(failure(tree.file("t")) == .system(SystemError("open", path, .accessDenied)))
    _ = unsafe chmod(tree.file("t/in"), 0)
    #expect(failure(tree.file("t")) == .system(SystemError("open", tree.file("t/in"), .accessDenied)))
}

@Test("A file that cannot be read is named")
func unreadableContents() {
    // Says that it has no bytes, and answers EIO to who reads some at 0.
    #expect(failure("/proc/self/mem") == .system(SystemError("read", "/proc/self/mem", .inputOutput)))
}

@Test("Directories within one another are bounded")
func tooDeep() throws {
    let tree = try deepTree(NarReader.depthMaxDefault)
    guard case .tooDeep(_, NarReader.depthMaxDefault) = failure(tree.file("t")) else {
        Issue.record("a tree that is too deep was dumped")
        return
    }
}

@Test("Larger files are handed on as files, and the NAR is the same")
func fileSink() throws {
    let tree = try oddTree()
    try tree.write("t/large", (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    var bytes: [UInt8] = []
    var handedOn: [Int64] = []
    try unsafe NarDump.dump(
        path: tree.file("t"),
        files: { (file: borrowing FileDescriptor, byteCount: Int64) throws(any Error) in
            handedOn.append(byteCount)
            var contents = [UInt8](repeating: 0, count: Int(byteCount))
            let count = try unsafe contents.withUnsafeMutableBytes { try unsafe file.readFully(at: 0, into: $0) }
            bytes += contents[..<count]
            return Int64(count)
        }
    ) { (piece: UnsafeRawBufferPointer) throws(any Error) in unsafe bytes.append(contentsOf: piece) }
    let whole = try dump(tree.file("t"))
    #expect(bytes == whole)
    #expect(handedOn == [200_000, 70_000])
}

/// Larger files, small ones between them, and directories of one file each: more of each than may be open at once.
private func largeTree() throws -> TemporaryDirectory {
    let tree = try TemporaryDirectory()
    for number in 0..<60 {
        try tree.write("t/large/\(number)", [UInt8](repeating: UInt8(number), count: 65_536 + number))
        try tree.write("t/large/\(number)-small", text: "\(number)")
        try tree.write("t/directories/\(number)/file", text: "\(number)")
        if number % 7 == 0 { link("\(number)", tree.file("t/large/\(number)-link")) }
    }
    return tree
}

@Test("Threads that read ahead have few files open at once, and the NAR is the same", arguments: [1, 4])
func readAhead(readers: Int) throws {
    let tree = try largeTree()
    let whole = try dump(tree.file("t"))
    var bytes: [UInt8] = []
    var openMax = 0
    func look() throws {
        let open = try Directory.names("/proc/self/fd").filter { name in
            (try? File.linkTarget("/proc/self/fd/\(name)"))?.hasPrefix(tree.path) == true
        }
        openMax = max(openMax, open.count)
    }
    try unsafe NarDump.dump(
        path: tree.file("t"), readers: readers,
        files: { (file: borrowing FileDescriptor, byteCount: Int64) throws(any Error) in
            try look()
            var contents = [UInt8](repeating: 0, count: Int(byteCount))
            let count = try unsafe contents.withUnsafeMutableBytes { try unsafe file.readFully(at: 0, into: $0) }
            bytes += contents[..<count]
            return Int64(count)
        }
    ) { (piece: UnsafeRawBufferPointer) throws(any Error) in unsafe bytes.append(contentsOf: piece) }
    let isSame = bytes == whole
    #expect(isSame)
    #expect(openMax > 4 && openMax <= NarDump.openFilesMax)
}

@Test("Small files are read ahead whatever their size: few of them are left to who sends", arguments: [2, 10, 20, 40])
func readAheadSizes(kibibytes: Int) throws {
    let tree = try TemporaryDirectory()
    for number in 0..<400 { try tree.write("t/\(number)", [UInt8](repeating: UInt8(number % 251), count: kibibytes << 10)) }
    var leftCount = 0
    try unsafe NarDump.dump(
        path: tree.file("t"), readers: 4,
        files: { (_, byteCount) throws(any Error) in
            leftCount += 1
            return byteCount
        }
    ) { (_: UnsafeRawBufferPointer) throws(any Error) in }
    #expect(leftCount < 100)
}

@Test("Trees of nothing but links, and of nothing but directories, need no more memory than others")
func noFiles() throws {
    let tree = try TemporaryDirectory()
    try Directory.make(tree.file("t"))
    for number in 0..<300 { link(String(repeating: "l", count: 3000 + number), tree.file("t/\(number)")) }
    let directories = try TemporaryDirectory()
    for number in 0..<2000 { try Directory.make(directories.file("t/\(number)")) }
    for tree in [tree, directories] {
        let whole = try dump(tree.file("t"))
        for (bufferByteCount, readers) in [(4096, 0), (70_000, 0), (4096, 3)] {
            let isSame = try dump(tree.file("t"), bufferByteCount: bufferByteCount, readers: readers) == whole
            #expect(isSame)
        }
    }
}

@Test("A NAR for which there is a buffer leaves in one piece")
func onePiece() throws {
    let tree = try TemporaryDirectory()
    for number in 0..<5 { try tree.write("t/\(number)", [UInt8](repeating: 1, count: 30_000)) }
    let whole = try dump(tree.file("t"))
    var pieces = 0
    try unsafe NarDump.dump(path: tree.file("t"), bufferByteCount: whole.count + 4096) { _ in pieces += 1 }
    #expect(pieces == 1)
}

@Test("A larger file that another took the place of before it was sent has changed")
func replacedWhileItWaits() throws {
    let tree = try largeTree()
    var isFirst = true
    do throws(NarDumpFailure<any Error>) {
        try unsafe NarDump.dump(path: tree.file("t"), readers: 2, files: { (_, byteCount) throws(any Error) in
            if isFirst {
                for number in 0..<60 { try tree.write("t/large/\(number)", [UInt8](repeating: 1, count: 70_000)) }
            }
            isFirst = false
            return byteCount
        }) { _ throws(any Error) in }
        Issue.record("a tree that changed was dumped")
    } catch {
        guard case .tree(.changed) = error else {
            Issue.record("\(error)")
            return
        }
    }
}

@Test("What ends a dump ends those who read ahead: an error of theirs, a walk that cannot go on, a sink that has enough", arguments: [1, 4])
func readAheadEnds(readers: Int) throws {
    func failure(_ tree: TemporaryDirectory) -> NarDumpError? {
        do throws(NarDumpFailure<Never>) {
            try unsafe NarDump.dump(path: tree.file("t"), readers: readers) { _ in }
            return nil
        } catch {
            guard case .tree(let error) = error else { return nil }
            return error
        }
    }
    let tree = try largeTree()
    _ = unsafe mkfifo(tree.file("t/large/3-pipe"), 0o644)
    #expect(failure(tree) == .unsupportedKind(path: tree.file("t/large/3-pipe"), kind: "a named pipe"))
    try File.remove(tree.file("t/large/3-pipe"))
    #expect(failure(tree) == nil)
    let missing = try TemporaryDirectory()
    #expect(failure(missing) == .system(SystemError("look at", missing.file("t"), .noSuchFile)))
    #expect(failure(try deepTree(NarReader.depthMaxDefault)) != nil)

    struct Full: Error, Equatable {}
    for callsMax in [1, 2, 50] {
        var calls = 0
        do throws(NarDumpFailure<Full>) {
            try unsafe NarDump.dump(path: tree.file("t"), bufferByteCount: 4096, readers: readers) { _ throws(Full) in
                calls += 1
                if calls == callsMax { throw Full() }
            }
            Issue.record("the sink's error was lost")
        } catch {
            guard case .sink(Full()) = error else {
                Issue.record("\(error)")
                return
            }
        }
        #expect(calls == callsMax)
    }
}

@Test("A file of which less was sent than it had, has changed")
func fileSinkShort() throws {
    let tree = try TemporaryDirectory()
    try tree.write("t", [UInt8](repeating: 1, count: 100_000))
    do throws(NarDumpFailure<any Error>) {
        try unsafe NarDump.dump(path: tree.file("t"), files: { _, byteCount throws(any Error) in byteCount - 1 }) { _ throws(any Error) in }
        Issue.record("a short file was dumped")
    } catch {
        guard case .tree(.changed(_, "became shorter")) = error else {
            Issue.record("\(error)")
            return
        }
    }
}

@Test("What the sink throws comes out, and nothing is given to it afterwards")
func sinkFailure() throws {
    struct Full: Error, Equatable {}
    let tree = try oddTree()
    var calls = 0
    do throws(NarDumpFailure<Full>) {
        try unsafe NarDump.dump(path: tree.file("t"), bufferByteCount: 4096) { _ throws(Full) in
            calls += 1
            if calls == 2 { throw Full() }
        }
        Issue.record("the sink's error was lost")
    } catch {
        guard case .sink(Full()) = error else {
            Issue.record("\(error)")
            return
        }
    }
    #expect(calls == 2)
}
