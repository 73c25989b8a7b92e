import HTTP
import Testing

@Suite("Content codings") struct ContentCodingTests {
    @Test("are chosen as the client likes them", arguments: [
        (nil, .identity),
        ("", .identity),
        ("gzip", .gzip),
        ("zstd", .zstd),
        ("identity", .identity),
        ("gzip, zstd", .zstd),
        // What curl, Nix from 2.14 on and browsers send.
        ("deflate, gzip, br, zstd", .zstd),
        ("zstd, br, gzip, deflate, bzip2, xz", .zstd),
        ("gzip, deflate, br", .gzip),
        ("br", .identity),
        ("compress, deflate", .identity),
        ("X-Gzip", .gzip),
        ("GZIP;Q=1", .gzip),
        ("gzip;q=1.0, zstd;q=0.9", .gzip),
        ("gzip;q=0.5, zstd;q=0.5", .zstd),
        ("gzip ; q=0.001", .gzip),
        ("gzip;q=0", .identity),
        ("gzip;q=0.000, zstd;q=0", .identity),
        ("gzip;q=0.5, identity", .identity),
        ("gzip;q=0.5, identity;q=0.5", .gzip),
        ("gzip;q=0.5, identity;q=0.6", .identity),
        ("*", .gzip),
        ("*;q=0.1", .gzip),
        ("*;q=0", .identity),
        ("zstd, *;q=0", .zstd),
        ("*, gzip;q=0", .identity),
        ("*;q=1, gzip;q=0.5, zstd;q=0.6", .zstd),
        ("identity;q=0", .identity),
        ("identity;q=0, gzip", .gzip),
        ("identity;q=0, *;q=0.5", .gzip),
        (",, gzip ,", .gzip),
        ("\tgzip\t;\tq=0.3 , zstd;q=0.2", .gzip),
    ] as [(String?, ContentCoding)])
    func negotiation(header: String?, expected: ContentCoding) {
        #expect(ContentCoding.negotiate(header) == expected)
    }

    @Test("with a weight that is none do not count", arguments: [
        "gzip;q=", "gzip;q=2", "gzip;q=1.001", "gzip;q=0.1234", "gzip;q=.5", "gzip;q=-1", "gzip;q=0,5x", "gzip;level=9", "gzip;q=0.5;x=y", "g zip",
        "gzip;", ";q=1", "\"gzip\"", "gzip;q=1x", "gzip;q=01",
    ])
    func malformedMembers(header: String) {
        #expect(ContentCoding.negotiate(header) == .identity)
        #expect(ContentCoding.negotiate("\(header), zstd;q=0.1") == .zstd)
    }
}
