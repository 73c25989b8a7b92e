import AtticAPI
import HTTPClient
import NixStore
import Platform

/// Sends paths of the local store: what is known of a path in a header or before the NAR, the NAR straight from the
/// file system. A path takes one buffer of memory, whatever its size.
package struct StoreUploader: PathUploader {
    private let client: APIClient
    private let storeDirectory: String
    private let forcesPreamble: Bool

    /// From this many bytes on, the server is asked before the NAR is sent: a round trip, against a NAR that it may have.
    private static let askFirstBytes: Int64 = 1 << 20

    package init(_ client: APIClient, storeDirectory: String, forcesPreamble: Bool) {
        self.client = client
        self.storeDirectory = storeDirectory
        self.forcesPreamble = forcesPreamble
    }

    package func upload(
        _ info: PathInfo, progress: @escaping @Sendable (Int64) -> Void
    ) throws(ClientFailure) -> UploadPathResult {
        let location = info.path.absolute(in: storeDirectory)
        let description = UploadPathNarInfo(
            cache: client.target.cache, storePathHash: info.path.hash, storePath: location, references: info.references,
            deriver: info.deriver, signatures: info.signatures, ca: info.ca, narHash: info.narHash, narSize: info.narSize
        ).json()
        let isPreamble = forcesPreamble || description.count >= Endpoint.narInfoPreambleThreshold
        let header = isPreamble
            ? (Endpoint.narInfoPreambleSizeHeader, String(description.count))
            : (Endpoint.narInfoHeader, String(decoding: description, as: UTF8.self))
        let preamble = isPreamble ? description : []
        return try client.upload(
            headers: [header, ("Content-Type", "application/x-nix-nar")], byteCount: Int64(preamble.count) + info.narSize,
            expectContinue: info.narSize > Self.askFirstBytes
        ) { writer in
            try writer.write(preamble)
            var sent: Int64 = 0
            progress(0)
            do {
                try unsafe NarDump.dump(path: location) { (bytes: UnsafeRawBufferPointer) throws(any Error) in
                    sent += Int64(bytes.count)
                    if sent > info.narSize {
                        throw UnreadablePath(
                            location: location,
                            reason: "its NAR has more than the \(info.narSize) bytes that Nix recorded; "
                                + "nix-store --verify-path tells more")
                    }
                    try unsafe writer.write(bytes)
                    progress(sent)
                }
            } catch NarDumpFailure<any Error>.sink(let error) {
                throw error
            } catch NarDumpFailure<any Error>.tree(let error) {
                throw UnreadablePath(location: location, reason: "\(error)")
            }
            if sent != info.narSize {
                throw UnreadablePath(
                    location: location,
                    reason: "its NAR has \(sent) bytes, and Nix recorded \(info.narSize); nix-store --verify-path tells more")
            }
        }
    }
}

/// A path of the store that cannot be dumped as Nix recorded it.
private struct UnreadablePath: Error, CustomStringConvertible {
    let location: String
    let reason: String
    var description: String { "cannot dump \(location): \(reason)" }
}
