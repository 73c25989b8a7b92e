import Compression
import Nix

@testable import AtticServer

extension FuzzTarget {
    /// NARs and their listings.
    static let nar = [
        FuzzTarget("nar", byteCountMax: 8192) { try checkNar($0) },
        FuzzTarget("nar-listing") { try checkListing($0) },
    ]
}

private func checkNar(_ bytes: [UInt8]) throws {
    var first: Reading?
    for ends in arrivals(of: bytes) {
        var reader = NarReader()
        var reading = Reading()
        do {
            for piece in pieces(of: bytes, endingAt: ends) {
                var position = 0
                while let event = try reader.next(in: piece, at: &position) { reading.add(event, of: piece) }
                try rule(position == piece.count, "a piece is read to its end")
            }
            try reader.finish()
            try rule(reader.isAtEnd && reader.byteCount == Int64(bytes.count), "a NAR has the bytes that it has")
            reading.isWhole = true
        } catch let error as NarError {
            try readable(error)
            try rule((0...Int64(bytes.count)).contains(error.offset), "an error names a byte that there is: \(error)")
            reading.error = error
        }
        try same(first ?? reading, reading, "a NAR is read alike however it comes")
        first = reading
    }
    guard let first, first.isWhole else { return }
    try same(first.written(), bytes, "a NAR that is written from what was read of it")
    try checkScan(bytes, ends: arrivals(of: bytes)[2], listing: first.listing())
}

/// What a reader said of a NAR, contents of files joined.
private struct Reading: Equatable {
    private var events: [NarEvent] = []
    private var contents: [[UInt8]] = []
    var error: NarError?
    var isWhole = false

    mutating func add(_ event: NarEvent, of piece: [UInt8]) {
        switch event {
        case .fileBytes(let range): contents[contents.count - 1] += piece[range]
        case .fileBegin:
            contents.append([])
            events.append(event)
        default: events.append(event)
        }
    }

    func written() -> [UInt8] {
        var writer = NarWriter()
        var file = 0
        for event in events {
            switch event {
            case .directoryBegin: writer.beginDirectory()
            case .entry(let name): writer.entry(name: name)
            case .directoryEnd: writer.endDirectory()
            case .fileBegin(let byteCount, let isExecutable, _):
                writer.beginFile(byteCount: byteCount, isExecutable: isExecutable)
                writer.fileBytes(contents[file])
                file += 1
            case .fileBytes: break
            case .fileEnd: writer.endFile()
            case .symbolicLink(let target): writer.symbolicLink(target: target)
            }
        }
        return writer.take()
    }

    func listing() -> [UInt8] {
        var writer = NarListingWriter()
        for event in events { writer.add(event) }
        return writer.take()
    }
}

/// What the server makes of a NAR on its way in: the listing, compressed, which reads back as itself.
private func checkScan(_ bytes: [UInt8], ends: [Int], listing: [UInt8]) throws {
    var scan = NarScan()
    for piece in pieces(of: bytes, endingAt: ends) {
        try unsafe piece.span.withUnsafeBytes { bytes throws(NarError) in try unsafe scan.take(bytes) }
    }
    try scan.finish()
    guard case .text(let frame, let byteCount) = scan.listing() else { throw BrokenRule("a short NAR has a listing") }
    let opened = try StreamDecoder.decode(frame, .zstd, outputByteCountMax: Int(byteCount))
    try same(opened, listing, "the listing that is kept")
    try same(try readListing(listing, endingAt: [listing.count]).text, listing, "a listing that is read")
}

private func checkListing(_ bytes: [UInt8]) throws {
    var first: ListingReading?
    for ends in arrivals(of: bytes) {
        let reading = try readListing(bytes, endingAt: ends)
        try same(first ?? reading, reading, "a listing is read alike however it comes")
        first = reading
    }
    guard let first else { return }
    if let error = first.error {
        try readable(error)
        try rule((0...Int64(bytes.count)).contains(error.offset), "an error names a byte that there is: \(error)")
    } else {
        let again = try readListing(first.text, endingAt: [first.text.count])
        try same(again.text, first.text, "a listing that is written and read (\(again.error as Any))")
    }
}

private struct ListingReading: Equatable {
    var text: [UInt8] = []
    var error: NarListingError?
}

private func readListing(_ bytes: [UInt8], endingAt ends: [Int]) throws -> ListingReading {
    var reader = NarListingReader()
    var reading = ListingReading()
    do throws(NarListingError) {
        for piece in pieces(of: bytes, endingAt: ends) {
            try unsafe piece.span.withUnsafeBytes { bytes throws(NarListingError) in try unsafe reader.feed(bytes) }
        }
        try reader.finish()
        reading.text = reader.take()
    } catch { reading.error = error }
    return reading
}
