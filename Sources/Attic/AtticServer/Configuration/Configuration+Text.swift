import ConfigFile
import Database
import Encoding

extension Configuration {
    /// The configuration as a `server.toml`, with every key: for a copy of the server that lies elsewhere. It holds the secret.
    ///
    /// - Parameters:
    ///   - database: where the copy's database lies; the path of a file is absolute.
    ///   - storagePath: where its chunks lie; absolute.
    func text(database: DatabaseLocation, storagePath: String) -> String {
        var writer = TOMLWriter()
        writer.comment("""
            The configuration of a copy of a Tetryx server, made by atticadm backup, with all that the server's own configuration
            said, its environment included; database and storage are the copy's. Keep it to yourself: it holds the secret.
            """)
        writer.blankLine()
        writer.value("listen", listen)
        let mode = String(socketPermissions, radix: 8)
        writer.value("socket-mode", String(repeating: "0", count: 4 - mode.utf8.count) + mode)
        if !allowedHosts.isEmpty { writer.value("allowed-hosts", allowedHosts) }
        if let apiEndpoint { writer.value("api-endpoint", apiEndpoint) }
        if let substituterEndpoint { writer.value("substituter-endpoint", substituterEndpoint) }
        writer.value("max-connections-per-address", Int64(maxConnectionsPerAddress))
        writer.value("proxies", proxies.map(\.description))
        writer.value("drain-delay", "\(drainDelaySeconds) seconds")
        writer.value("access-log", logsAccess)
        writer.value("soft-delete-caches", softDeleteCaches)
        writer.value("require-proof-of-possession", requireProofOfPossession)
        writer.value("refused-read-status", Int64(refusedReadStatus.code))
        writer.value("max-nar-info-size", Int64(maxNarInfoSize))
        writer.value("max-nar-size", maxNarSize)
        writer.table(["limits"])
        writer.value("connections", Int64(limits.connectionsMax))
        writer.value("uploads", Int64(limits.uploadsMax))
        writer.value("held-bytes", Int64(limits.heldBytesMax))
        writer.value("idle-time", "\(limits.idleSeconds) seconds")
        writer.value("head-time", "\(limits.headSeconds) seconds")
        writer.value("upload-time", "\(limits.uploadSeconds) seconds")
        writer.value("answer-time", "\(limits.answerSeconds) seconds")
        writer.value("drain-time", "\(limits.drainSeconds) seconds")
        if let streams = limits.streamsMax { writer.value("streams", Int64(streams)) }
        writer.value("waiting-streams", Int64(limits.waitingStreamsMax))
        if let streams = limits.clientStreamsMax { writer.value("streams-per-address", Int64(streams)) }
        writer.value("stream-time", "\(limits.streamSeconds) seconds")
        writer.table(["database"])
        writer.value("url", databaseURL(of: database))
        writer.value("heartbeat", databaseHeartbeat)
        writer.value("max-connections", Int64(databaseConnectionsMax))
        writer.value("acquire-timeout", "\(databaseAcquireSeconds) seconds")
        writer.table(["storage"])
        writer.value("type", "local")
        writer.value("path", storagePath)
        writer.table(["chunking"])
        writer.value("nar-size-threshold", chunking.narSizeThreshold)
        writer.value("min-size", Int64(chunking.sizes.minimum))
        writer.value("avg-size", Int64(chunking.sizes.average))
        writer.value("max-size", Int64(chunking.sizes.maximum))
        writer.table(["compression"])
        writer.value("type", compressionKind.rawValue)
        if compressionKind != .none { writer.value("level", Int64(compressionLevel)) }
        writer.table(["garbage-collection"])
        writer.value("interval", "\(garbageCollectionIntervalSeconds) seconds")
        writer.value("default-retention-period", "\(defaultRetentionSeconds) seconds")
        writer.table(["jwt"])
        if let issuer = tokenRules.issuer { writer.value("token-bound-issuer", issuer) }
        if !tokenRules.audiences.isEmpty { writer.value("token-bound-audiences", tokenRules.audiences) }
        writer.table(["jwt", "signing"])
        switch tokenKey {
        case .hs256(let secret): writer.value(TokenKeySource.hs256.key, Base64.encode(secret))
        case .rs256(let key): writer.value(TokenKeySource.rs256Private.key, Base64.encode(key.pem))
        case .rs256PublicKey(let key): writer.value(TokenKeySource.rs256Public.key, Base64.encode(key.pem))
        }
        return writer.text
    }
}
