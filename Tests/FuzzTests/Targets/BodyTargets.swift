import AtticAPI
import Encoding
import Nix

extension FuzzTarget {
    /// JSON, and all that the API says in it.
    static let bodies = [
        FuzzTarget("json") { try checkJSON($0) },
        FuzzTarget("api-bodies") { try checkBodies($0) },
        FuzzTarget("upload-paths") { try checkUploadPaths($0) },
    ]
}

private func checkJSON(_ bytes: [UInt8]) throws {
    let json: JSON
    do throws(JSONError) { json = try JSON.parse(bytes) } catch {
        try rule((0...bytes.count).contains(error.byteOffset), "an error names a byte that there is: \(error)")
        return try readable(error)
    }
    let written = json.serializedBytes()
    let again: JSON
    do throws(JSONError) { again = try JSON.parse(written) } catch {
        throw BrokenRule("JSON that is written is refused: \(error)\n\(String(decoding: written, as: UTF8.self))")
    }
    try same(again, json, "JSON that is written and read")
    try same(again.serializedBytes(), written, "the text of JSON")
    // White space around makes no difference.
    try same(try JSON.parse([0x20, 0x0A] + bytes + [0x0D, 0x09]).serializedBytes(), written, "JSON with white space")
    if let object = json.objectValue {
        for member in object.members { try rule(object[member.key] == member.value, "a member is found by its key") }
    }
}

/// One body: what is read, written and read again is the same.
private func check<Body: Equatable>(
    _ bytes: [UInt8], _ read: ([UInt8]) throws(APIFormatError) -> Body, _ write: (Body) -> [UInt8]
) throws {
    let body: Body
    do throws(APIFormatError) { body = try read(bytes) } catch { return try readable(error) }
    let written = write(body)
    let again: Body
    do throws(APIFormatError) { again = try read(written) } catch {
        throw BrokenRule("\(Body.self) that is written is refused: \(error)\n\(String(decoding: written, as: UTF8.self))")
    }
    try same(again, body, "\(Body.self) that is written and read")
    try same(write(again), written, "the text of \(Body.self)")
}

private func checkBodies(_ bytes: [UInt8]) throws {
    try check(bytes, { bytes throws(APIFormatError) in try UploadPathNarInfo(json: bytes) }, { $0.json() })
    try check(bytes, { bytes throws(APIFormatError) in try UploadPathResult(json: bytes) }, { $0.json() })
    try check(bytes, { bytes throws(APIFormatError) in try UploadPathsResult(json: bytes) }, { $0.json() })
    try check(bytes, { bytes throws(APIFormatError) in try MissingPathsRequest(json: bytes) }, { $0.json() })
    try check(bytes, { bytes throws(APIFormatError) in try MissingPathsResponse(json: bytes) }, { $0.json() })
    try check(bytes, { bytes throws(APIFormatError) in try CacheConfig(json: bytes) }, { $0.json() })
    try check(bytes, { bytes throws(APIFormatError) in try CreateCacheRequest(json: bytes) }, { $0.json() })
    try check(bytes, { bytes throws(APIFormatError) in try ErrorBody(json: bytes) }, { $0.json() })
    guard let info = try? UploadPathNarInfo(json: bytes), info.narSize > 0 else { return }
    // All that will stand in a narinfo has been checked for its form.
    do throws(NixFormatError) {
        let narInfo = try NarInfo(
            storePath: try StorePath(baseName: String(info.storePath.split(separator: "/").last ?? "")), url: "nar/a.nar", compression: "none",
            narHash: info.narHash, narSize: info.narSize, references: info.references.map(\.baseName), deriver: info.deriver?.baseName,
            signatures: info.signatures, ca: info.ca)
        _ = try NarInfo.parse(narInfo.rendered())
    } catch { throw BrokenRule("a description that was accepted makes no narinfo: \(error)") }
}

/// The body of several paths, however it comes; descriptions beyond 64 KiB are refused, as the server does.
private func checkUploadPaths(_ bytes: [UInt8]) throws {
    var first: [String]?
    for ends in arrivals(of: bytes) {
        var reader = UploadPathsReader()
        var said: [String] = []
        var narByteCount = 0
        reading: for piece in pieces(of: bytes, endingAt: ends) {
            var start = 0
            while start < piece.count {
                let (found, count): (UploadPathsReader.Piece, Int)
                do throws(APIFormatError) { (found, count) = try reader.take(piece.span.extracting(start...)) } catch {
                    try readable(error)
                    said.append("refused")
                    break reading
                }
                try rule(count > 0 && count <= piece.count - start, "a step takes something, and no more than there is")
                start += count
                switch found {
                case .part: break
                case .infoByteCount(let byteCount):
                    said.append("length \(byteCount)")
                    if byteCount > 64 << 10 { break reading }
                case .info(let info): said.append("info \(info.storePathHash) \(info.narSize)")
                case .nar(let isLast):
                    narByteCount += count
                    if isLast { said.append("nar of \(narByteCount)") }
                    if isLast { narByteCount = 0 }
                }
            }
        }
        said.append("left \(narByteCount), between \(reader.isBetweenPaths), in NAR \(reader.isInNar)")
        try same(first ?? said, said, "paths are read alike however they come")
        first = said
    }
}
