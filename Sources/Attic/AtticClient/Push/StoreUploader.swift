import AtticAPI
import HTTPClient
import NixStore
import Platform

/// Sends paths of the local store: what is known of a path in a header or before the NAR, the NAR straight from the
/// file system. A request takes one buffer of memory, whatever the size of its NARs; a few large NARs at once are read ahead of those
/// who send them, and have 3 MiB.
package struct StoreUploader: PathUploader {
    package let sharing: PushQueue.Sharing?
    private let client: APIClient
    private let store: any StoreReader
    private let forcesPreamble: Bool
    /// How many more NARs may be read ahead at once.
    private let readAheadsFree: Monitor<Int>

    /// From this many bytes on, the server is asked before the NAR is sent: a round trip, against a NAR that it may have.
    private static let askFirstBytes: Int64 = 1 << 20
    /// What a dump's buffer has beyond the NAR: a small NAR leaves in one piece.
    private static let dumpBytesMore = 4 << 10
    /// From this many bytes on, threads read ahead of the one that sends.
    private static let readAheadBytesMin: Int64 = 4 << 20
    /// So many for each such NAR: enough that files which are not in memory are waited for together.
    private static let readerCount = 4

    /// - Parameters:
    ///   - readAheadsMax: how many large NARs at once may have threads that read ahead, each with `NarDump.openFilesMax` open files.
    ///   - limits: what the server takes in one request of several paths, nil where it takes none.
    package init(
        _ client: APIClient, _ store: any StoreReader, forcesPreamble: Bool, readAheadsMax: Int, limits: UploadPathsLimits?
    ) {
        self.client = client
        self.store = store
        self.forcesPreamble = forcesPreamble
        readAheadsFree = Monitor(readAheadsMax)
        sharing = limits.flatMap { limits in
            limits.pathsMax < 2 ? nil : PushQueue.Sharing(
                pathsMax: Int(min(limits.pathsMax, Self.pathsMax)), narBytesMax: min(limits.narBytesMax, Self.narBytesMax),
                infoBytesMax: min(limits.infoBytesMax, Self.infoBytesMax))
        }
    }

    /// Bounds of our own on one request of several paths: what has to be sent again where the connection breaks.
    private static let pathsMax: Int64 = 1024
    private static let narBytesMax: Int64 = 16 << 20
    private static let infoBytesMax: Int64 = 1 << 20

    package func upload(
        _ info: PathInfo, progress: @escaping @Sendable (Int64) -> Void
    ) throws(ClientFailure) -> UploadPathResult {
        let description = description(of: info).json()
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
            progress(0)
            try dump(info, into: writer, progress)
        }
    }

    package func upload(
        together infos: [PathInfo], progress: @escaping @Sendable (Int64) -> Void
    ) throws(ClientFailure) -> [UploadPathResult]? {
        let heads = infos.map { description(of: $0).announcement() }
        let byteCount = zip(heads, infos).reduce(0) { $0 + Int64($1.0.count) + $1.1.narSize }
        let answer = try client.uploadTogether(byteCount: byteCount) { writer in
            var sent: Int64 = 0
            progress(0)
            for (head, info) in zip(heads, infos) {
                try writer.write(head)
                try dump(info, into: writer) { _ in }
                sent += info.narSize
                progress(sent)
            }
        }
        guard let answer else { return nil }
        guard answer.results.map(\.storePathHash) == infos.map(\.path.hash) else {
            throw ClientFailure(
                .failed, "cannot push to \(client.target.quoted): the server's answer is about other paths than were sent",
                advice: "Is \(client.target.endpoint) the endpoint of an atticd? tetryx login changes it.")
        }
        return answer.results.map(\.result)
    }

    private func description(of info: PathInfo) -> UploadPathNarInfo {
        UploadPathNarInfo(
            cache: client.target.cache, storePathHash: info.path.hash, storePath: info.path.absolute(in: store.storeDirectory),
            references: info.references, deriver: info.deriver, signatures: info.signatures, ca: info.ca,
            narHash: info.narHash, narSize: info.narSize)
    }

    /// Threads that read ahead of this NAR's sender: none where it is small, or where as many as may be have them.
    private func takeReaders(_ info: PathInfo) -> Int {
        guard info.narSize >= Self.readAheadBytesMin else { return 0 }
        return readAheadsFree.withLock { free in
            guard free > 0 else { return 0 }
            free -= 1
            return Self.readerCount
        }
    }

    /// Writes the path's NAR, which has the size that Nix recorded.
    private func dump(_ info: PathInfo, into writer: RequestWriter, _ progress: @escaping (Int64) -> Void) throws {
        let location = store.location(of: info.path)
        let bufferBytes = min(Int(clamping: info.narSize), NarDump.bufferByteCount) + Self.dumpBytesMore
        let readers = takeReaders(info)
        defer { if readers > 0 { readAheadsFree.withLock { $0 += 1 } } }
        var sent: Int64 = 0
        func check(adding byteCount: Int64) throws {
            guard sent + byteCount > info.narSize else { return }
            throw UnreadablePath(
                location: location,
                reason: "its NAR has more than the \(info.narSize) bytes that Nix recorded; nix-store --verify-path tells more")
        }
        do {
            try unsafe NarDump.dump(
                path: location, bufferByteCount: bufferBytes,
                readers: readers,
                files: { (file: borrowing FileDescriptor, byteCount: Int64) throws(any Error) in
                    try check(adding: byteCount)
                    let before = sent
                    let count = try writer.write(file, byteCount: byteCount) { progress(before + $0) }
                    sent += count
                    return count
                }
            ) { (bytes: UnsafeRawBufferPointer) throws(any Error) in
                try check(adding: Int64(bytes.count))
                sent += Int64(bytes.count)
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

/// A path of the store that cannot be dumped as Nix recorded it.
private struct UnreadablePath: Error, CustomStringConvertible {
    let location: String
    let reason: String
    var description: String { "cannot dump \(location): \(reason)" }
}
