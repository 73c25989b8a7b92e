import ConfigFile
import HTTPServer
import Platform

/// The bounds of the engine that an operator may want otherwise (`[limits]`): those that depend on the machine, its network and its
/// clients. All others follow from the protocol, or from one another, and stay as they are.
package struct OperatorLimits: Sendable, Equatable {
    /// Open connections, of all together.
    package internal(set) var connectionsMax = Self.standard.connectionsMax
    /// Uploads at once; more wait.
    package internal(set) var uploadsMax = Self.standard.transferThreads
    /// Bytes in memory that slow clients may hold.
    package internal(set) var heldBytesMax = Self.standard.heldBytesMax
    /// Seconds that a connection may lie idle.
    package internal(set) var idleSeconds = Self.standard.idleTime.components.seconds
    /// Seconds that the head of a request may take.
    package internal(set) var headSeconds = Self.standard.headTime.components.seconds
    /// Seconds that an upload may take for its next 64 KiB.
    package internal(set) var uploadSeconds = Self.standard.bodyProgressTime.components.seconds
    /// Seconds that a client may take for its next 64 KiB of an answer.
    package internal(set) var answerSeconds = Self.standard.writeProgressTime.components.seconds
    /// Seconds that requests in flight have to finish when the server ends.
    package internal(set) var drainSeconds: Int64 = 30

    /// Bodies at once that are made while they are sent; nil: the default, which is more where every pull of a NAR is one.
    package internal(set) var streamsMax: Int?
    /// Answers that wait for one of those to end.
    package internal(set) var waitingStreamsMax = Self.standard.producerQueueMax
    /// Of both, how many one address may have; nil: a share of all.
    package internal(set) var clientStreamsMax: Int?
    /// Seconds that a client may take for its next 64 KiB of such a body while others wait.
    package internal(set) var streamSeconds = Self.standard.streamPatience.components.seconds

    private static let standard = Limits()
    /// The default where every pull of a NAR is such a body: its thread waits for its client, or the bucket, most of the time.
    private static let streamsMaxForNars = 128
    /// What one address may have of them at least, where that is not more than half: Nix pulls 25 NARs at once.
    private static let clientStreamsLeast = 16

    init() {}

    /// Reads the section; what it leaves out has its default.
    mutating func read(_ section: TOMLSection) throws(ConfigFileError) {
        if let value = try section.integer("connections", in: 1...1_000_000) { connectionsMax = Int(value) }
        if let value = try section.integer("uploads", in: 1...1024) { uploadsMax = Int(value) }
        if let value = try section.integer("held-bytes", in: (16 << 20)...(1 << 40)) { heldBytesMax = Int(value) }
        if let value = try section.seconds("idle-time", in: 1...3600) { idleSeconds = value }
        if let value = try section.seconds("head-time", in: 1...3600) { headSeconds = value }
        if let value = try section.seconds("upload-time", in: 1...3600) { uploadSeconds = value }
        if let value = try section.seconds("answer-time", in: 1...3600) { answerSeconds = value }
        if let value = try section.seconds("drain-time", in: 0...3600) { drainSeconds = value }
        if let value = try section.integer("streams", in: 1...4096) { streamsMax = Int(value) }
        if let value = try section.integer("waiting-streams", in: 0...65_536) { waitingStreamsMax = Int(value) }
        if let value = try section.integer("streams-per-address", in: 1...4096) { clientStreamsMax = Int(value) }
        if let value = try section.seconds("stream-time", in: 1...3600) { streamSeconds = value }
    }

    /// Threads for bodies that are made while they are sent, and how many of them one address may have: never all, unless the operator
    /// says so.
    ///
    /// - Parameter isForNars: whether each NAR takes one, as those from a bucket do, and those that are stored in brotli.
    func streams(ofAllNars isForNars: Bool) -> (all: Int, ofClient: Int) {
        let all = streamsMax ?? (isForNars ? Self.streamsMaxForNars : Self.standard.producerThreads)
        return (all, clientStreamsMax ?? max(1, min(max(Self.clientStreamsLeast, all / 4), all / 2)))
    }
}

extension Limits {
    /// The engine's bounds, with what an operator has set.
    init(_ configuration: Configuration, openFilesMax: Int) {
        let wanted = configuration.limits
        self.init(openFilesMax: openFilesMax, connectionsMax: wanted.connectionsMax)
        // 0 is for none; then the bound of all is left.
        clientConnectionsMax = configuration.maxConnectionsPerAddress == 0 ? connectionsMax : configuration.maxConnectionsPerAddress
        proxies = Set(configuration.proxies)
        transferThreads = wanted.uploadsMax
        heldBytesMax = wanted.heldBytesMax
        clientHeldBytesMax = wanted.heldBytesMax / 4
        idleTime = .seconds(wanted.idleSeconds)
        headTime = .seconds(wanted.headSeconds)
        bodyProgressTime = .seconds(wanted.uploadSeconds)
        writeProgressTime = .seconds(wanted.answerSeconds)
        (producerThreads, clientStreamsMax) = wanted.streams(
            ofAllNars: configuration.s3 != nil || configuration.compressionKind == .brotli)
        producerQueueMax = wanted.waitingStreamsMax
        streamPatience = .seconds(wanted.streamSeconds)
    }
}
