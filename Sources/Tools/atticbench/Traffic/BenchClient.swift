import AtticAPI
import Crypto
import HTTP
import HTTPClient
import Nix
import Platform

/// Asks a server what a client asks it, one whole request after another. Threads share it.
struct BenchClient: Sendable {
    private let session: HTTPSession
    private let authorization: (String, String)
    let cache: CacheName

    /// - Parameters:
    ///   - token: may push to the cache and pull from it.
    ///   - connectionsMax: as many as there are threads.
    init(url: String, cache: String, token: String, connectionsMax: Int) throws {
        guard let name = CacheName(cache) else { throw BenchFailure("\(cache) is no name of a cache") }
        self.cache = name
        session = try HTTPSession(endpoint: HTTPURL(url), connectionsMax: connectionsMax)
        authorization = ("Authorization", "Bearer \(token)")
    }

    /// The push of a NAR, ready to be sent.
    func push(_ nar: SyntheticNar) throws -> ClientRequest {
        var bytes: [UInt8] = []
        nar.generate { bytes += $0 }
        let path = try StorePath(baseName: nar.baseName)
        let info = UploadPathNarInfo(
            cache: cache, storePathHash: path.hash, storePath: "\(StorePath.defaultStoreDirectory)/\(path.baseName)",
            references: [], system: "x86_64-linux", narHash: SHA256.digest(of: bytes), narSize: Int64(bytes.count))
        return ClientRequest(
            .put, Endpoint.uploadPath,
            headers: [authorization, (Endpoint.narInfoHeader, String(decoding: info.json(), as: UTF8.self))], body: .bytes(bytes))
    }

    /// The question for what is known of a path: its narinfo.
    func narInfo(of nar: SyntheticNar) -> ClientRequest {
        ClientRequest(.get, "/\(cache)/\(nar.baseName.prefix(32)).narinfo", headers: [authorization])
    }

    /// The question whether a path is there. It makes the server write one small row, where the cache's paths expire.
    func missing(_ nar: SyntheticNar) throws -> ClientRequest {
        let hash = try StorePath(baseName: nar.baseName).hash
        let body = MissingPathsRequest(cache: cache, storePathHashes: [hash]).json()
        return ClientRequest(.post, Endpoint.getMissingPaths, headers: [authorization], body: .bytes(body))
    }

    /// Where a narinfo says that its NAR is.
    func nar(_ narInfo: ClientResponse) throws -> ClientRequest {
        ClientRequest(.get, "/\(cache)/\(try NarInfo.parse(narInfo.body).url)", headers: [authorization])
    }

    /// Sends a request; its answer, which is a 200.
    func send(_ request: ClientRequest) throws -> ClientResponse {
        let response: ClientResponse
        do { response = try session.send(request) } catch { throw BenchFailure("\(request.path): \(error)") }
        guard response.status == .ok else {
            throw BenchFailure("\(request.path): \(response.status) \(String(decoding: response.body.prefix(300), as: UTF8.self))")
        }
        return response
    }
}
