import AtticAPI
import Crypto
import Nix
import Testing

@Suite("Several paths in one body")
struct UploadPathsTests {
    private func info(_ number: Int, narSize: Int64) throws -> UploadPathNarInfo {
        let hash = String(repeating: "\(number)", count: 32)
        return UploadPathNarInfo(
            cache: try #require(CacheName("c")), storePathHash: try #require(StorePathHash(hash)),
            storePath: "/nix/store/\(hash)-p\(number)", references: [], narHash: SHA256.digest(of: [UInt8(number)]), narSize: narSize)
    }

    /// What a reader makes of a body that comes in these pieces: descriptions, and the bytes of each NAR.
    private func read(_ pieces: [[UInt8]]) throws -> (infos: [UploadPathNarInfo], nars: [[UInt8]], isWhole: Bool) {
        var reader = UploadPathsReader()
        var infos: [UploadPathNarInfo] = []
        var nars: [[UInt8]] = []
        var lengths: [UInt64] = []
        for piece in pieces {
            var rest = piece[...]
            while !rest.isEmpty {
                let (found, byteCount) = try reader.take(Array(rest).span)
                try #require(byteCount > 0 && byteCount <= rest.count)
                switch found {
                case .part: break
                case .infoByteCount(let count): lengths.append(count)
                case .info(let info):
                    infos.append(info)
                    nars.append([])
                case .nar(let isLast):
                    nars[nars.count - 1] += rest.prefix(byteCount)
                    #expect(isLast == (nars[nars.count - 1].count == Int(infos[infos.count - 1].narSize)))
                }
                rest = rest.dropFirst(byteCount)
            }
        }
        #expect(lengths.prefix(infos.count) == infos.map { UInt64($0.json().count) }[...])
        return (infos, nars, reader.isBetweenPaths)
    }

    @Test("They are read back whole, byte by byte, and split anywhere")
    func splits() throws {
        let infos = [try info(1, narSize: 5), try info(2, narSize: 300), try info(3, narSize: 1)]
        let nars: [[UInt8]] = [[1, 2, 3, 4, 5], (0..<300).map { UInt8(truncatingIfNeeded: $0) }, [0]]
        let body = zip(infos, nars).flatMap { $0.0.announcement() + $0.1 }
        #expect(body[0] == UInt8(infos[0].json().count & 0xFF) && body[8] == UInt8(ascii: "{"))
        for pieces in [[body], body.map { [$0] }] {
            let found = try read(pieces)
            #expect(found.infos == infos && found.nars == nars && found.isWhole)
        }
        for place in 1..<body.count {
            let found = try read([Array(body[..<place]), Array(body[place...])])
            #expect(found.infos == infos && found.nars == nars && found.isWhole, "split at \(place)")
        }
    }

    @Test("A body that is cut anywhere but between two paths is not whole")
    func cut() throws {
        let first = try info(1, narSize: 5).announcement() + [1, 2, 3, 4, 5]
        let body = first + (try info(2, narSize: 2).announcement()) + [1, 2]
        for end in 0...body.count {
            #expect(try read([Array(body[..<end])]).isWhole == [0, first.count, body.count].contains(end), "cut at \(end)")
        }
    }

    @Test("A length is told before its description is read, however large")
    func length() throws {
        var reader = UploadPathsReader()
        #expect(try reader.take([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1].span) == (.infoByteCount(.max), 8))
        #expect(try reader.take([1, 2].span) == (.part, 2))
        var other = UploadPathsReader()
        #expect(throws: APIFormatError.self) { try other.take([0, 0, 0, 0, 0, 0, 0, 0].span) }
    }

    @Test("A description that is wrong is refused with its reason")
    func wrong() throws {
        var reader = UploadPathsReader()
        _ = try reader.take([2, 0, 0, 0, 0, 0, 0, 0].span)
        let error = #expect(throws: APIFormatError.self) { try reader.take(Array("{}".utf8).span) }
        #expect(error?.member == "store_path_hash")
    }

    @Test("Results are written as they stand in the API's description, and read back")
    func results() throws {
        let hash = String(repeating: "1", count: 32)
        let results = UploadPathsResult(results: [
            .init(storePathHash: try #require(StorePathHash(hash)), result: .init(kind: .uploaded, fileSize: 7, fracDeduplicated: 0.25))
        ])
        let json = #"{"results":[{"kind":"Uploaded","file_size":7,"frac_deduplicated":0.25,"store_path_hash":"\#(hash)"}]}"#
        #expect(String(decoding: results.json(), as: UTF8.self) == json)
        #expect(try UploadPathsResult(json: results.json()) == results)
        #expect(try UploadPathsResult(json: Array(#"{"results":[]}"#.utf8)) == UploadPathsResult(results: []))
        for (wrong, place) in [(#"{"results":[1]}"#, "results[0]"), (#"{"results":[{"kind":"Uploaded"}]}"#, "results[0]"), ("{}", "results")] {
            let error = #expect(throws: APIFormatError.self) { try UploadPathsResult(json: Array(wrong.utf8)) }
            #expect(error?.member == place)
        }
    }

    @Test("A server says what one request may have, or nothing")
    func limits() throws {
        let config = CacheConfig(uploadPaths: UploadPathsLimits(pathsMax: 2, narBytesMax: 3, infoBytesMax: 4))
        let json = #"{"upload_paths":{"paths_max":2,"nar_bytes_max":3,"info_bytes_max":4}}"#
        #expect(String(decoding: config.json(), as: UTF8.self) == json)
        #expect(try CacheConfig(json: Array(json.utf8)) == config)
        #expect(config.changesNothing)
        #expect(throws: APIFormatError.self) { try CacheConfig(json: Array(#"{"upload_paths":{"paths_max":2}}"#.utf8)) }
    }

    @Test("A server says what documents it takes beside store paths, or nothing")
    func documents() throws {
        let config = CacheConfig(buildLogs: DocumentLimits(bytesMax: 2), realisations: DocumentLimits(bytesMax: 3))
        let json = #"{"build_logs":{"bytes_max":2},"realisations":{"bytes_max":3}}"#
        #expect(String(decoding: config.json(), as: UTF8.self) == json)
        #expect(try CacheConfig(json: Array(json.utf8)) == config)
        #expect(config.changesNothing)
        for wrong in [#"{"build_logs":{}}"#, #"{"build_logs":true}"#, #"{"realisations":{"bytes_max":-1}}"#] {
            #expect(throws: APIFormatError.self) { try CacheConfig(json: Array(wrong.utf8)) }
        }
    }
}
