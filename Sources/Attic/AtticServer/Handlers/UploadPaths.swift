import AtticAPI
import Crypto
import Database
import HTTP
import HTTPServer

/// `PUT /_api/v1/upload-paths`: takes in several store paths, all of them or none.
enum UploadPaths {
    static func respond(_ call: Call) throws -> Response {
        try call.visitor.requirePush()
        let lease = UploadLease(catalog: call.context.catalog, time: call.context.time)
        let pipeline = try UploadPipeline(call.context, lease: lease, for: call.visitor)
        let intake = PathsIntake(call, pipeline)
        let arrived: PathsIntake.Arrived
        do {
            try unsafe call.request.body.forEachBuffer(upTo: .max) { bytes in try unsafe intake.receive(bytes) }
            arrived = try intake.finish()
        } catch {
            pipeline.abandon()
            throw error
        }
        do {
            try call.commit(arrived.paths, into: arrived.cache, packs: arrived.packs, storedBy: pipeline, lease: lease)
        } catch {
            lease.end()
            throw error
        }
        return Response(.ok, headers: [("Content-Type", Endpoint.jsonType)], body: .bytes(arrived.result.json()))
    }
}

/// The paths of one request on their way in: each is announced, then its NAR follows. What a path may be and who may push
/// it is decided as for one path alone; only the bytes are always asked for, since they are in the body anyway, so they
/// always prove that the uploader has them.
///
/// A NAR that is here already is not held: the commit looks whether it still is.
///
/// Thread: transfer.
private final class PathsIntake {
    /// Where a path's NAR comes from.
    private enum Source {
        /// The pipeline's NAR of that number.
        case new(Int)
        case existing(NarRecord)
    }

    /// What is to be committed, and what is to be said of it.
    struct Arrived {
        let cache: CacheName
        let packs: [Database.PackState]
        let paths: [Commit.Path]
        let result: UploadPathsResult
    }

    private struct Item {
        let path: AnnouncedPath
        let source: Source
        /// The first in the request with that NAR brings it.
        let isRepeated: Bool
    }

    private let call: Call
    private let pipeline: UploadPipeline
    private var reader = UploadPathsReader()
    private var cache: CacheRecord?
    private var items: [Item] = []
    private var sources: [SHA256Digest: (source: Source, narSize: Int64)] = [:]
    private var newCount = 0
    private var narBytes: Int64 = 0
    private var infoBytes: UInt64 = 0
    private var referenceCount = 0
    /// Of a NAR that the pipeline does not get.
    private var proof = NarProof()

    init(_ call: Call, _ pipeline: UploadPipeline) {
        self.call = call
        self.pipeline = pipeline
    }

    /// Takes the next bytes of the body.
    func receive(_ bytes: UnsafeRawBufferPointer) throws {
        var start = 0
        while start < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[start...])
            let (piece, count) = try unsafe take(rest)
            start += count
            switch piece {
            case .part: break
            case .infoByteCount(let byteCount): try admit(infoByteCount: byteCount)
            case .info(let info): try naming(info) { try begin(info) }
            case .nar(let isLast):
                let item = items[items.count - 1]
                try naming(item.path.info) {
                    try unsafe receive(UnsafeRawBufferPointer(rebasing: rest[..<count]), of: item, isLast: isLast)
                }
            }
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) throws -> (UploadPathsReader.Piece, Int) {
        do throws(APIFormatError) {
            return try unsafe reader.take(Span(_unsafeBytes: bytes))
        } catch {
            throw Problem.request("path \(items.count + 1) of the request: \(error).")
        }
    }

    /// Says which path it was.
    private func naming(_ info: UploadPathNarInfo, _ body: () throws -> Void) throws {
        do { try body() } catch let problem as Problem { throw problem.of(info.storePath) }
    }

    // MARK: One path

    private func admit(infoByteCount byteCount: UInt64) throws(Problem) {
        guard items.count < Bounds.uploadPathsMax else {
            throw .tooLarge("the request has more than \(Bounds.uploadPathsMax) paths, the most that it may have.")
        }
        let most = call.context.configuration.maxNarInfoSize
        guard byteCount <= UInt64(most) else {
            throw .tooLarge("the description of path \(items.count + 1) has \(byteCount) bytes, but max-nar-info-size allows \(most).")
        }
        infoBytes += byteCount
        guard infoBytes <= UInt64(Bounds.uploadPathsInfoBytesMax) else {
            throw .tooLarge("the descriptions have more than \(Bounds.uploadPathsInfoBytesMax) bytes, the most that they may have together.")
        }
    }

    private func begin(_ info: UploadPathNarInfo) throws {
        let cache = try enter(info)
        let path = try AnnouncedPath(
            info, for: cache, at: call.now, narSizeMax: call.context.configuration.maxNarSize)
        guard info.narSize <= Bounds.uploadPathsNarBytesMax - narBytes else {
            throw Problem.tooLarge("with its NAR the request has more than \(Bounds.uploadPathsNarBytesMax) bytes of NARs, the most that it may have.")
        }
        narBytes += info.narSize
        referenceCount += info.references.count
        guard referenceCount <= Bounds.uploadPathsReferencesMax else {
            throw Problem.tooLarge("with it the request has more than \(Bounds.uploadPathsReferencesMax) references, the most that it may have.")
        }
        if let (source, narSize) = sources[info.narHash] {
            guard info.narSize == narSize else {
                throw Problem.request("\"nar_size\" is \(info.narSize), but an earlier path has the same NAR with \(narSize) bytes.")
            }
            items.append(Item(path: path, source: source, isRepeated: true))
            return
        }
        let source: Source
        if let nar = try findReusableNar(path) {
            source = .existing(nar)
        } else {
            pipeline.begin(narSize: info.narSize)
            source = .new(newCount)
            newCount += 1
        }
        sources[info.narHash] = (source, info.narSize)
        items.append(Item(path: path, source: source, isRepeated: false))
    }

    private func enter(_ info: UploadPathNarInfo) throws -> CacheRecord {
        guard let cache else {
            let record = try call.enter(info.cache, needing: .push)
            cache = record
            return record
        }
        guard info.cache == cache.name else {
            throw Problem.request("it is for the cache \"\(info.cache)\", and the first path for \"\(cache.name)\": one request is for one cache.")
        }
        return cache
    }

    private func findReusableNar(_ path: AnnouncedPath) throws -> NarRecord? {
        let (catalog, hash) = (call.context.catalog, path.info.narHash)
        guard let nar = try catalog.read({ session throws(DatabaseError) in try session.findNar(hash) }), !nar.isDamaged else { return nil }
        // First: what is announced wrongly must not cost a look at all of a large NAR. Its bytes will not have the hash, and that
        // is what is said then: of which size the NAR is here, or that it is, is not told to whoever knows its hash.
        guard nar.narSize == path.info.narSize else { return nil }
        return try nar.isReusable(in: call.context.store, of: catalog) ? nar : nil
    }

    private func receive(_ bytes: UnsafeRawBufferPointer, of item: Item, isLast: Bool) throws {
        let info = item.path.info
        if case .new = item.source, !item.isRepeated {
            try unsafe pipeline.receive(bytes)
            if isLast { try pipeline.end(expectedHash: info.narHash, expectedSize: info.narSize) }
        } else {
            try unsafe proof.take(bytes)
            if isLast { try proof.finish(expectedHash: info.narHash, expectedSize: info.narSize) }
        }
    }

    // MARK: All of them

    /// Ends the body.
    func finish() throws -> Arrived {
        guard reader.isBetweenPaths else {
            throw Problem.request("the body ended in the middle of path \(reader.isInNar ? items.count : items.count + 1).")
        }
        guard let cache else {
            throw Problem.request("the body has no path: each is 8 bytes with the length of its description, the description, and its NAR.")
        }
        let stored = try pipeline.finish()
        let mayKnowOverlap = try call.mayKnowOverlap()
        var paths: [Commit.Path] = []
        var results: [UploadPathsResult.Path] = []
        for item in items {
            let result: UploadPathResult
            switch item.source {
            case .existing(let nar):
                paths.append(Commit.Path(item.path.object, naming: .existing(id: nar.id, hash: nar.narHash)))
                result = .known(nar, isToldSo: try mayKnowOverlap || item.isRepeated || !call.needsProof(of: nar))
            case .new(let number):
                let new = stored.nars[number]
                paths.append(Commit.Path(item.path.object, naming: .uploaded(new.nar, chunks: new.chunks)))
                result = UploadPathResult(
                    kind: item.isRepeated ? .deduplicated : .uploaded, fileSize: new.nar.fileSize,
                    fracDeduplicated: item.isRepeated ? 1 : mayKnowOverlap ? new.fracDeduplicated : nil)
            }
            results.append(UploadPathsResult.Path(storePathHash: item.path.info.storePathHash, result: result))
        }
        return Arrived(
            cache: cache.name, packs: stored.packs, paths: paths, result: UploadPathsResult(results: results))
    }
}
