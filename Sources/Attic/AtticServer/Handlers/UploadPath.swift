import AtticAPI
import Crypto
import Database
import HTTP
import HTTPServer
import Nix

/// `PUT /_api/v1/upload-path`: takes in a store path. The request's order is: who, what, may they, do we have it, bytes.
enum UploadPath {
    static func respond(_ call: Call) throws -> Response {
        try call.visitor.requireToken()
        let info = try narInfo(call)
        let cache = try call.enter(info.cache, needing: .push)
        let path = try checked(info, cache)
        let object = newObject(info, path, cache, call)
        let lease = UploadLease(catalog: call.context.catalog, time: call.context.time)
        do {
            if let nar = try lease.findIntactNar(info.narHash, in: call.context.store) {
                return try deduplicated(call, info, nar, object, lease)
            }
            return try uploaded(call, info, object, lease)
        } catch {
            lease.end()
            throw error
        }
    }

    // MARK: What is announced

    /// The NAR's information: the header's JSON, or as many bytes of the body as the preamble header says.
    private static func narInfo(_ call: Call) throws -> UploadPathNarInfo {
        let head = call.request.head
        if let text = head.header(Endpoint.narInfoHeader) {
            return try UploadPathNarInfo(json: Array(text.utf8))
        }
        guard let size = head.header(Endpoint.narInfoPreambleSizeHeader) else {
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

    /// Checks what the JSON alone cannot: that the names fit one another and the cache.
    private static func checked(_ info: UploadPathNarInfo, _ cache: CacheRecord) throws -> StorePath {
        let path: StorePath
        do {
            path = try StorePath(absolute: info.storePath, storeDirectory: cache.storeDirectory)
        } catch {
            throw Problem.request("\"store_path\": \(error)")
        }
        guard info.narSize > 0 else { throw Problem.request("\"nar_size\" must be above 0.") }
        guard info.references.count <= Bounds.referencesMax else {
            throw Problem.request("\"references\" has more than \(Bounds.referencesMax) entries.")
        }
        guard info.signatures.count <= Bounds.signaturesMax else {
            throw Problem.request("\"sigs\" has more than \(Bounds.signaturesMax) entries.")
        }
        return path
    }

    private static func newObject(
        _ info: UploadPathNarInfo, _ path: StorePath, _ cache: CacheRecord, _ call: Call
    ) -> NewObject {
        NewObject(
            cacheID: cache.id,
            storePathHash: path.hash,
            storePath: info.storePath,
            references: info.references.map(\.baseName).sorted(),
            system: info.system,
            deriver: info.deriver?.baseName,
            signatures: info.signatures,
            ca: info.ca,
            at: call.now)
    }

    // MARK: A NAR that is here already

    /// Commits the object onto the NAR that is here. The bytes are asked for as proof that the uploader has them, unless
    /// it could pull them anyway.
    private static func deduplicated(
        _ call: Call, _ info: UploadPathNarInfo, _ nar: NarRecord, _ object: NewObject, _ lease: UploadLease
    ) throws -> Response {
        guard nar.narSize == info.narSize else {
            throw Problem.request("\"nar_size\" is \(info.narSize), but the NAR of that hash has \(nar.narSize) bytes.")
        }
        if try needsProof(call, nar) {
            var hash = SHA256()
            var size: Int64 = 0
            try unsafe call.request.body.forEachBuffer(upTo: info.narSize) { bytes in
                unsafe hash.update(bytes)
                size += Int64(bytes.count)
            }
            try UploadPipeline.check(hash.finish(), size, against: info.narHash, info.narSize)
        }
        try commit(call, info, Commit(uploadID: lease.id, packs: [], chunks: [], nar: nil, existingNarID: nar.id, object: object))
        lease.forget()
        let result = UploadPathResult(kind: .deduplicated, fileSize: nar.fileSize, fracDeduplicated: 1)
        return answer(result)
    }

    private static func needsProof(_ call: Call, _ nar: NarRecord) throws -> Bool {
        guard call.context.configuration.requireProofOfPossession else { return false }
        let holders = try call.context.catalog.read { session throws(DatabaseError) in
            try session.cachesHolding(nar.id)
        }
        return !holders.contains { holder in
            call.visitor.permissions(on: holder.name, isPublic: holder.isPublic).contains(.pull)
        }
    }

    // MARK: A NAR that is new

    private static func uploaded(
        _ call: Call, _ info: UploadPathNarInfo, _ object: NewObject, _ lease: UploadLease
    ) throws -> Response {
        let pipeline = try UploadPipeline(call.context, narSize: info.narSize, lease: lease)
        let stored: UploadPipeline.Stored
        do {
            try unsafe call.request.body.forEachBuffer(upTo: info.narSize) { bytes in
                try unsafe pipeline.receive(bytes)
            }
            stored = try pipeline.finish(expectedHash: info.narHash, expectedSize: info.narSize)
        } catch {
            pipeline.abandon()
            throw error
        }
        do {
            try commit(call, info, Commit(
                uploadID: lease.id, packs: stored.packs, chunks: stored.chunks, nar: stored.nar,
                existingNarID: nil, object: object))
        } catch let problem as Problem {
            // Decided by the database, nothing was written: the bytes go.
            pipeline.abandon()
            throw problem
        } catch let error as DatabaseError where error.leavesNothingWritten {
            // A full disk above all, where every byte that stays makes it worse.
            pipeline.abandon()
            throw error
        } catch {
            pipeline.leave()
            throw error
        }
        lease.forget()
        pipeline.keep()
        let known = stored.nar.fileSize == 0 ? 0 : Double(stored.knownFileBytes) / Double(stored.nar.fileSize)
        return answer(UploadPathResult(kind: .uploaded, fileSize: stored.nar.fileSize, fracDeduplicated: known))
    }

    private static func commit(_ call: Call, _ info: UploadPathNarInfo, _ commit: Commit) throws {
        let outcome = try call.context.catalog.write { session throws(DatabaseError) in
            try session.commitUpload(commit)
        }
        switch outcome {
        case .committed(let committed):
            // A NAR that was put in order may have other stored bytes now, in every cache that has it.
            if commit.nar != nil && !committed.isNewNar { call.context.hot.forgetAll() }
            call.context.hot.forget(narInfo: "/\(info.cache)/\(info.storePathHash).narinfo", objectID: committed.objectID)
        // The lease ended before the upload did, and a collection came between: the same push works when sent again.
        case .vanished, .narVanished: throw Problem.busy(retryAfterSeconds: 1)
        // The cache was destroyed while its path was on the way.
        case .noSuchCache: throw Problem.noSuchCache
        }
    }

    private static func answer(_ result: UploadPathResult) -> Response {
        Response(.ok, headers: [("Content-Type", "application/json")], body: .bytes(result.json()))
    }
}
