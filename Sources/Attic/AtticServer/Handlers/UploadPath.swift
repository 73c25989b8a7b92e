import AtticAPI
import Database
import HTTP
import HTTPServer

/// `PUT /_api/v1/upload-path`: takes in a store path. The request's order is: who, what, may they, do we have it, bytes.
enum UploadPath {
    static func respond(_ call: Call) throws -> Response {
        try call.visitor.requirePush()
        let info = try narInfo(call)
        let cache = try call.enter(info.cache, needing: .push)
        let path = try AnnouncedPath(
            info, for: cache, at: call.now, narSizeMax: call.context.configuration.maxNarSize)
        let lease = UploadLease(catalog: call.context.catalog, time: call.context.time)
        do {
            if let nar = try lease.findReusableNar(info.narHash, in: call.context.store) {
                return try deduplicated(call, path, nar, lease)
            }
            return try uploaded(call, path, lease)
        } catch {
            lease.end()
            throw error
        }
    }

    // MARK: What is announced

    /// The NAR's information: as many bytes of the body as the preamble header says, or else the other header's JSON. Of a request
    /// with both the preamble counts, as with Attic: what the body begins with would not be the NAR otherwise.
    private static func narInfo(_ call: Call) throws -> UploadPathNarInfo {
        let head = call.request.head
        guard let size = head.header(Endpoint.narInfoPreambleSizeHeader) else {
            if let text = head.header(Endpoint.narInfoHeader) { return try UploadPathNarInfo(json: Array(text.utf8)) }
            throw Problem.request("the NAR's information is missing: send \(Endpoint.narInfoHeader), or \(Endpoint.narInfoPreambleSizeHeader) and the JSON before the NAR.")
        }
        let most = call.context.configuration.maxNarInfoSize
        guard size.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let byteCount = Int(size), byteCount > 0 else {
            throw Problem.request("\(Endpoint.narInfoPreambleSizeHeader) must be a number of bytes above 0.")
        }
        guard byteCount <= most else {
            throw Problem.tooLarge("the NAR's information has \(byteCount) bytes, but max-nar-info-size allows \(most).")
        }
        return try UploadPathNarInfo(json: call.request.body.read(exactly: byteCount))
    }

    // MARK: A NAR that is here already

    /// Commits the object onto the NAR that is here. The bytes are asked for as proof that the uploader has them, unless
    /// it could pull them anyway.
    private static func deduplicated(
        _ call: Call, _ path: AnnouncedPath, _ nar: NarRecord, _ lease: UploadLease
    ) throws -> Response {
        let info = path.info
        let needsProof = try call.needsProof(of: nar)
        if needsProof {
            var proof = NarProof()
            try unsafe call.request.body.forEachBuffer(upTo: info.narSize) { bytes in try unsafe proof.take(bytes) }
            try proof.finish(expectedHash: info.narHash, expectedSize: info.narSize)
        }
        try call.commit(
            [Commit.Path(path.object, naming: path.naming(nar))], into: info.cache, storedBy: nil, lease: lease)
        return answer(.known(nar, isToldSo: !needsProof))
    }

    // MARK: A NAR that is new

    private static func uploaded(_ call: Call, _ path: AnnouncedPath, _ lease: UploadLease) throws -> Response {
        let info = path.info
        let pipeline = try UploadPipeline(call.context, lease: lease, for: call.visitor)
        let stored: UploadPipeline.Stored
        do {
            pipeline.begin(narSize: info.narSize)
            try unsafe call.request.body.forEachBuffer(upTo: info.narSize) { bytes in
                try unsafe pipeline.receive(bytes)
            }
            try pipeline.end(expectedHash: info.narHash, expectedSize: info.narSize)
            stored = try pipeline.finish()
        } catch {
            pipeline.abandon()
            throw error
        }
        let nar = stored.nars[0]
        try call.commit(
            [Commit.Path(path.object, naming: .uploaded(nar.nar, chunks: nar.chunks))], into: info.cache,
            packs: stored.packs, storedBy: pipeline, lease: lease)
        return answer(UploadPathResult(
            kind: .uploaded, fileSize: nar.nar.fileSize, fracDeduplicated: try call.mayKnowOverlap() ? nar.fracDeduplicated : nil))
    }

    private static func answer(_ result: UploadPathResult) -> Response {
        Response(.ok, headers: [("Content-Type", "application/json")], body: .bytes(result.json()))
    }
}

extension UploadPathResult {
    /// Of a NAR that was here before.
    ///
    /// - Parameter isToldSo: whether that may be known; otherwise it was uploaded like any other.
    static func known(_ nar: NarRecord, isToldSo: Bool) -> UploadPathResult {
        UploadPathResult(
            kind: isToldSo ? .deduplicated : .uploaded, fileSize: nar.fileSize, fracDeduplicated: isToldSo ? 1 : nil)
    }
}
