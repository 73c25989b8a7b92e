import AtticAPI
import Chunking
import Compression
import Database
import HTTP
import Platform

/// `server.toml`, checked. What each key means to an operator is in `server.toml.example`; every default is here.
package struct Configuration: Sendable, Equatable {
    // MARK: The server

    /// Where to listen, `host:port` or `unix:/path`.
    package internal(set) var listen = "[::]:8080"
    /// Who may connect to a socket that has a path, as chmod(2) takes it.
    package internal(set) var socketPermissions: UInt32 = 0o660
    /// The `Host` values that are served; all where empty.
    package internal(set) var allowedHosts: [String] = []
    /// Where clients find the API, with a slash at its end; nil: made from each request.
    package internal(set) var apiEndpoint: String?
    /// Where Nix finds the caches, with a slash at its end; nil: made from each request.
    package internal(set) var substituterEndpoint: String?
    /// Connections that one address may have; 0: any number.
    package internal(set) var maxConnectionsPerAddress = 1024
    /// Addresses of proxies, which may have any number.
    package internal(set) var proxies = ["127.0.0.1", "::1"].compactMap { HostAddress($0) }
    /// How long the server goes on serving when it is told to end, while `/_health` says that it will; in seconds.
    package internal(set) var drainDelaySeconds: Int64 = 0
    /// Whether every request leaves a line in the log.
    package internal(set) var logsAccess = true
    /// Whether a destroyed cache keeps its rows and its name.
    package internal(set) var softDeleteCaches = false
    /// Whether an uploader must show the bytes of a NAR unless its token could pull them anyway.
    package internal(set) var requireProofOfPossession = true
    /// What a read of a binary cache is answered that the visitor may not have: 401, 403 or 404.
    package internal(set) var refusedReadStatus = Status.unauthorized
    /// The longest NAR info before an upload, in bytes.
    package internal(set) var maxNarInfoSize = 1 << 20
    /// The longest NAR that is taken, uncompressed, in bytes.
    package internal(set) var maxNarSize: Int64 = 64 << 30

    /// The bounds of the engine.
    package internal(set) var limits = OperatorLimits()

    // MARK: What it keeps

    /// The file of the SQLite database, or the server of the PostgreSQL one.
    package internal(set) var database = DatabaseLocation.sqlite(path: "")
    /// Whether the database is asked something now and then, so that its connections stay open. A file needs none.
    package internal(set) var databaseHeartbeat = false
    /// Connections that a server has to a PostgreSQL one at most: `Catalog.otherConnections`, and those that read.
    package internal(set) var databaseConnectionsMax = 16
    /// How long who wants to read waits for one of those, in seconds.
    package internal(set) var databaseAcquireSeconds: Int64 = 10
    /// The directory of the local storage; empty where a bucket is the storage.
    package internal(set) var storagePath = ""
    /// The bucket that is the storage; nil for a directory.
    package internal(set) var s3: S3Settings?
    package internal(set) var chunking = ChunkingRules()
    package internal(set) var compressionKind = CompressionKind.zstd
    package internal(set) var compressionLevel = CompressionKind.zstd.levelDefault

    // MARK: What it collects

    /// How often garbage is collected, in seconds; 0: never by itself.
    package internal(set) var garbageCollectionIntervalSeconds: Int64 = 12 * 3600
    /// How long caches keep what nobody asks for, where they do not say it themselves, in seconds; 0: forever.
    package internal(set) var defaultRetentionSeconds: Int64 = 0

    // MARK: Whom it trusts

    package internal(set) var tokenKey = TokenKey.hs256(secret: [])
    package internal(set) var tokenRules = TokenRules()
    /// Whether the key of tokens, that of the bucket, or the database's password stood in the text itself, and not in a variable.
    package internal(set) var holdsSecret = false

    /// What works but should not stay as it is; a sentence each, for the log.
    package internal(set) var warnings: [String] = []

    /// All defaults; database, storage and secret have none, and are empty.
    init() {}
}

/// How NARs are cut into chunks.
package struct ChunkingRules: Sendable, Equatable {
    /// The smallest NAR that is cut, in bytes; 0: none is, 1: all are.
    package internal(set) var narSizeThreshold: Int64 = 64 << 10
    /// Changing them makes new chunks unlike those that are stored: nothing breaks, but nothing is shared between
    /// old and new.
    package internal(set) var sizes = Self.sizesDefault
    /// Chunk bytes that are gathered before they go to the press: one look-up serves a dozen chunks, and a NAR of a few
    /// mebibytes still keeps every core busy. No key of `server.toml`.
    package internal(set) var gatheredBytesTarget = 1 << 20

    /// 16, 64 and 256 KiB, as in the known servers, whose users move their configuration here.
    package static let sizesDefault: ChunkSizes = {
        do throws(ChunkSizesError) {
            return try ChunkSizes(minimum: 16 << 10, average: 64 << 10, maximum: 256 << 10)
        } catch { preconditionFailure("the default chunk sizes are refused: \(error)") }
    }()

    /// Whether a NAR of this size is cut; otherwise its chunks are pieces of 1 MiB.
    package func isChunked(narSize: Int64) -> Bool { narSizeThreshold > 0 && narSize >= narSizeThreshold }
}
