import AtticAPI
import Database
import Nix
import Platform

/// A store path as an upload announces it, checked against the cache that it is for.
struct AnnouncedPath {
    let info: UploadPathNarInfo
    let object: NewObject

    /// Checks what the JSON alone cannot: that the names fit one another and the cache.
    ///
    /// - Parameter narSizeMax: in bytes.
    /// - Throws: `.request`, `.tooLarge`.
    init(_ info: UploadPathNarInfo, for cache: CacheRecord, at now: WallTime, narSizeMax: Int64) throws(Problem) {
        let path: StorePath
        do throws(NixFormatError) {
            path = try StorePath(absolute: info.storePath, storeDirectory: cache.storeDirectory)
        } catch {
            throw .request("\"store_path\": \(error)")
        }
        guard info.narSize > 0 else { throw .request("\"nar_size\" must be above 0.") }
        guard info.narSize <= narSizeMax else {
            throw .tooLarge("the NAR has \(info.narSize) bytes, but max-nar-size allows \(narSizeMax).")
        }
        guard info.references.count <= Bounds.referencesMax else {
            throw .request("\"references\" has more than \(Bounds.referencesMax) entries.")
        }
        guard info.signatures.count <= Bounds.signaturesMax else {
            throw .request("\"sigs\" has more than \(Bounds.signaturesMax) entries.")
        }
        self.info = info
        object = NewObject(
            cacheID: cache.id,
            storePathHash: path.hash,
            storePath: info.storePath,
            references: info.references.map(\.baseName).sorted(),
            system: info.system,
            deriver: info.deriver?.baseName,
            signatures: info.signatures,
            ca: info.ca,
            at: now)
    }

    /// The NAR that is here, as what the object is to name.
    ///
    /// - Throws: `.request` where the announced size is not that NAR's.
    func naming(_ nar: NarRecord) throws(Problem) -> Commit.Nar {
        guard nar.narSize == info.narSize else {
            throw .request("\"nar_size\" is \(info.narSize), but the NAR of that hash has \(nar.narSize) bytes.")
        }
        return .existing(id: nar.id, hash: nar.narHash)
    }
}
