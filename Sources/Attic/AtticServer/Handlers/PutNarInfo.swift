import AtticAPI
import Compression
import Crypto
import Database
import HTTP
import HTTPServer
import Nix

/// `PUT /{cache}/{hash}.narinfo`: plain Nix says whose the NAR is that it has sent. From then on the path is in the cache.
///
/// What a narinfo says is taken as a claim: the NAR of that hash must be here with that size, its bytes sent to this cache (or
/// the visitor able to pull them anyway), and the names must fit one another and the cache. Where the NAR lies and how it is
/// compressed is ours to say when the narinfo is asked for.
enum PutNarInfo {
    static func respond(_ call: Call, _ name: CacheName, _ hash: StorePathHash) throws -> Response {
        let cache = try call.enter(name, needing: .push)
        let info = try narInfo(call, hash, cache)
        let path = try AnnouncedPath(
            UploadPathNarInfo(info, cache: name), for: cache, at: call.now,
            narSizeMax: call.context.configuration.maxNarSize)
        let nar = try findNar(call, cache, info)
        let former = try call.context.catalog.read { session throws(DatabaseError) in try session.findObject(cache.id, hash) }
        try call.commit(
            [Commit.Path(path.object, naming: .existing(id: nar.id, hash: nar.narHash))], into: name, storedBy: nil,
            lease: UploadLease(catalog: call.context.catalog, time: call.context.time))
        return Response(former == nil ? .created : .noContent)
    }

    /// What was sent, as far as it can be judged by itself.
    private static func narInfo(_ call: Call, _ hash: StorePathHash, _ cache: CacheRecord) throws -> NarInfo {
        let info: NarInfo
        let bytes = try call.decodedBody(byteCountMax: call.context.configuration.maxNarInfoSize)
        do throws(NixFormatError) { info = try NarInfo.parse(bytes) } catch { throw Problem.request("\(error).") }
        guard info.storePath.hash == hash else {
            throw Problem.request("StorePath is \(info.storePath), but it was put as \(hash).narinfo.")
        }
        guard info.storeDirectory == cache.storeDirectory else {
            throw Problem.request("StorePath is in \(Route.printable(info.storeDirectory)), but the cache is for \(cache.storeDirectory).")
        }
        // Nix from 2.35 on refuses a whole narinfo for one signature that has another form.
        for signature in info.signatures where !PublicKey.isSignature(signature) {
            throw Problem.request("the signature \"\(Route.printable(signature))\" is not name:base64 of 64 bytes.")
        }
        return info
    }

    /// The NAR that the narinfo is about, whole.
    ///
    /// - Throws: `.request` where it is not here, or is another than the narinfo says. Whether a NAR is here that the visitor
    ///   has no right to is not told.
    private static func findNar(_ call: Call, _ cache: CacheRecord, _ info: NarInfo) throws -> NarRecord {
        guard info.url.hasPrefix("nar/"), case .file(let fileHash, _) = NarName(String(info.url.dropFirst("nar/".utf8.count))) else {
            throw Problem.request("URL is \"\(Route.printable(info.url))\", and must be nar/{file hash}.nar with the suffix of its compression.")
        }
        let (named, found, wasReceived) = try call.context.catalog.read { session throws(DatabaseError) in
            var named = try session.findReceivedFile(fileHash, cacheID: cache.id)?.nar
            if named == nil { named = try session.findNar(fileHash: fileHash, cacheID: cache.id)?.nar }
            let found = try session.findNar(info.narHash)
            var wasReceived = false
            if let found { wasReceived = try session.hasReceived(narID: found.id, cacheID: cache.id) }
            return (named, found, wasReceived)
        }
        if let named, named.narHash != info.narHash {
            throw Problem.request("URL and NarHash are of different NARs.")
        }
        guard let nar = found, try wasReceived || !call.needsProof(of: nar) else {
            throw Problem.request("the NAR \(NixHash(info.narHash).typedBase32) is not here: put its file under nar/ first, then the narinfo.")
        }
        guard nar.narSize == info.narSize else {
            throw Problem.request("NarSize is \(info.narSize), but the NAR of that hash has \(nar.narSize) bytes.")
        }
        guard try !nar.isDamaged && nar.isIntact(in: call.context.store, of: call.context.catalog) else {
            throw Problem.conflict("stored bytes of the NAR are missing: put its file once more.")
        }
        return nar
    }
}

extension UploadPathNarInfo {
    /// What a narinfo says of its path, as any upload says it.
    init(_ info: NarInfo, cache: CacheName) throws(Problem) {
        do throws(NixFormatError) {
            var references: Set<StorePath> = []
            for name in info.references { references.insert(try StorePath(baseName: name)) }
            var deriver: StorePath?
            if let name = info.deriver { deriver = try StorePath(baseName: name) }
            self.init(
                cache: cache, storePathHash: info.storePath.hash, storePath: info.storePath.absolute(in: info.storeDirectory),
                references: Array(references), deriver: deriver, signatures: info.signatures, ca: info.ca,
                narHash: info.narHash, narSize: info.narSize)
        } catch { throw .request("\(error).") }
    }
}
