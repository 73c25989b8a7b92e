import HTTP
import Platform

/// Every bound of the server, with its unit and its reason. Nothing in the server grows beyond one of these.
package struct Limits: Sendable {
    // MARK: Heads

    /// Bytes of a request's head: tokens with many caches and a NAR's description below 4 KiB fit well.
    package var headBytesMax = 32 << 10
    /// Header lines of a request: browsers, Nix and proxies stay far below.
    package var headerCountMax = 100

    // MARK: Connections

    /// Open connections, all loops together. Beyond it the one that is idle longest is closed for one more; where none is, no more
    /// are accepted: they wait in the kernel's queue.
    /// An idle one costs a few kilobytes, most of them the kernel's.
    package var connectionsMax = 16_384
    /// Open connections of one client: one IPv4 address, or one IPv6 network of 64 bits. Room for the 25 that Nix opens, of forty
    /// machines behind one address; a sixteenth of all.
    package var clientConnectionsMax = 1024
    /// Addresses of proxies, which stand for many clients: what is for one client does not bind them.
    package var proxies: Set<HostAddress> = Set(["127.0.0.1", "::1"].compactMap { HostAddress($0) })
    /// How long a connection may lie idle between requests: longer than clients pool theirs, so that they close first.
    package var idleTime = Duration.seconds(90)
    /// How long a head may take from its first byte to its last.
    package var headTime = Duration.seconds(20)
    /// How long a client that sends a long body may take for `bodyProgressBytes` of it while it could send.
    package var bodyProgressTime = Duration.seconds(60)
    /// Bytes of a long body that are progress: each holds a thread, and a byte now and then would hold it for years. A kilobyte a
    /// second.
    package var bodyProgressBytes: Int64 = 64 << 10
    /// How long a body that is read whole, on a short lane, may take from its handler's first read to its last byte: a
    /// byte now and then would hold a thread for weeks. As long as a head; 8 MiB, the longest, at 3.4 Mbit/s.
    package var shortBodyTime = Duration.seconds(20)
    /// How long a client that is sent an answer may take nothing; or less than `writeProgressBytes`, where the answer holds a
    /// thread, or memory that is counted.
    package var writeProgressTime = Duration.seconds(60)
    /// Bytes of such an answer that are progress: a byte now and then would hold all that for weeks. A kilobyte a second.
    package var writeProgressBytes: Int64 = 64 << 10
    /// How long what a client still sends is read and dropped after the last answer, so that a reset does not overtake it.
    package var lingerTime = Duration.seconds(10)

    // MARK: Bodies

    /// Bytes of a request's body: a bound on what one request can make a disk hold, not on memory.
    package var bodyBytesMax: Int64 = 1 << 40
    /// Bytes of a body that wait for its handler: enough that the network goes on while a chunk is compressed.
    package var bodyBufferBytes = 1 << 20
    /// Bytes of a body that are taken in before its handler has read any: requests that wait in a queue hold no more.
    package var bodyBytesBeforeFirstRead = 32 << 10
    /// Bytes of answers in memory that wait to be sent, and of bodies that are awaited, all connections together: slow clients
    /// hold them. Beyond it such an answer is a 503. Sixteen of the longest.
    package var heldBytesMax = 256 << 20
    /// The same of one client: a quarter.
    package var clientHeldBytesMax = 64 << 20
    /// Bodies up to so many bytes are not counted: the kernel's buffer takes most of one at once.
    package var uncountedBodyBytesMax = 64 << 10
    /// Bodies up to so many bytes are awaited before a request of strangers gets a thread, and counted as what waits to be sent
    /// is. The longest that there are have two thirds of it; who announces more is refused by its handler at once.
    package var awaitedBodyBytesMax = 512 << 10
    /// Bytes of a body that are read and dropped after an answer that did not need them, to keep the connection.
    package var discardedBytesMax: Int64 = 1 << 20

    // MARK: Lanes

    /// Threads for short handlers: some wait for the database while others work.
    package var queryThreads = 8
    /// Requests that may wait for one of those.
    package var queryQueueMax = 1024
    /// Threads for short bodies that are read whole: each may wait for its client, and holds one document in memory.
    package var documentThreads = 8
    /// Requests that may wait for one of those; as many as for long bodies, for the same reason.
    package var documentQueueMax = 1024
    /// Threads for what anyone may read and takes a body or much work: each may wait for its client for `shortBodyTime`, and
    /// holds one answer in memory.
    package var readingThreads = 8
    /// Requests that may wait for one of those; as many as for documents.
    package var readingQueueMax = 1024
    /// Threads for what asks another machine first: each sleeps until that has answered, and works for little more than a moment. Four
    /// times as many as for queries; half of what a storage there is asked at once by default, so that answers under way go on.
    package var fetchingThreads = 32
    /// Requests that may wait for one of those; as many as for queries.
    package var fetchingQueueMax = 1024
    /// Threads for long bodies: each waits for its client most of the time.
    package var transferThreads = 64
    /// Requests that may wait for one of those. Many: a client whose PUT is answered 503 may send it again without its body
    /// (Nix up to 2.32), so waiting is better than that. Each takes `bodyBytesBeforeFirstRead` at most, all of them 32 MiB.
    package var transferQueueMax = 1024
    /// What `Retry-After` says where a queue is full: about the time in which a full queue has moved on.
    package var retryAfterSeconds = 2

    // MARK: Streams

    /// Threads that make bodies while they are sent: each waits for its client most of the time, and an encoder in it may have
    /// 10 MiB of memory.
    package var producerThreads = 32
    /// Answers that may wait for one of those before they begin.
    package var producerQueueMax = 128
    /// Of both, how many one client may have: half of the threads.
    package var clientStreamsMax = 16
    /// How long an answer waits for the first bytes of such a body, for a thread most of all, before it is a 503: its head is
    /// sent with them, so that whoever waits can still be told.
    package var streamStartTime = Duration.seconds(30)
    /// How long a client may take for a block of such a body while others wait for a thread, before its answer is broken off:
    /// 13 KB a second, which each of the 25 that Nix asks for at once has on a line of 2.6 Mbit/s.
    package var streamPatience = Duration.seconds(5)
    /// Bytes of a block in which such a body travels: enough that handing it on costs nothing beside making it.
    package var streamBlockBytes = 64 << 10
    /// Blocks of one such body: one is filled while others are sent.
    package var streamBlocksMax = 4

    // MARK: Files

    /// Threads that read files which are not in memory, for the loops: disks are faster with some reads at once.
    package var readerThreads = 8
    /// Bytes of a file that are asked for at once: enough that a disk works in long stretches, and that asking whether they
    /// are in memory costs nothing beside sending them.
    package var fileWindowBytes: Int64 = 512 << 10

    // MARK: Fairness

    /// Bytes sent or received for one connection before the others of its loop have their turn: about a millisecond. With a
    /// quarter of it, NARs of 200 MB came at 0.8 of nginx's rate instead of 1.0.
    package var turnBytesMax = 2 << 20

    package init() {}

    /// Bounds that leave descriptors for files: whoever opens connections without end must not keep the handlers from
    /// opening a file.
    ///
    /// - Parameters:
    ///   - openFilesMax: descriptors that the process may have; `forFiles` says how many of them are left alone.
    ///   - connectionsMax: the most that are wanted.
    package init(openFilesMax: Int, connectionsMax wanted: Int = Limits().connectionsMax) {
        connectionsMax = max(1, min(wanted, openFilesMax - Self.forFiles(openFilesMax: openFilesMax)))
    }

    /// Descriptors with which nothing has to be cut short.
    package static func openFilesEnough(connectionsMax: Int) -> Int { connectionsMax + forFiles(openFilesMax: .max) }

    /// Descriptors that are for files: packs kept open for readers, packs that are written, databases. 2,048, or half of all
    /// where there are fewer than 4,096.
    package static func forFiles(openFilesMax: Int) -> Int { min(2048, openFilesMax / 2) }

    var head: HeadLimits { HeadLimits(headBytesMax: headBytesMax, headerCountMax: headerCountMax) }

    /// Traps where a bound makes no sense.
    func check() {
        precondition(connectionsMax > 0 && clientConnectionsMax > 0 && clientStreamsMax > 0, "a server needs connections")
        precondition(bodyProgressBytes > 0 && writeProgressBytes > 0, "progress is a byte or more")
        precondition(heldBytesMax >= 0 && clientHeldBytesMax >= 0 && uncountedBodyBytesMax >= 0 && awaitedBodyBytesMax >= 0, "a bound is not negative")
        precondition(queryThreads > 0 && documentThreads > 0 && readingThreads > 0 && fetchingThreads > 0, "a server needs threads")
        precondition(transferThreads > 0 && readerThreads > 0, "a server needs threads")
        precondition(producerThreads > 0 && streamBlocksMax > 0, "a stream needs threads and blocks")
        precondition(streamBlockBytes >= BodyWriter.blockByteCountMin, "a block has room for a byte and what stands around it")
        precondition(fileWindowBytes > 0, "a window has bytes")
        precondition(bodyBufferBytes > 0 && bodyBytesBeforeFirstRead > 0 && turnBytesMax >= 4096, "a server needs buffers")
        precondition(retryAfterSeconds >= 0 && bodyBytesMax >= 0 && discardedBytesMax >= 0, "a bound is not negative")
        for time in [idleTime, headTime, bodyProgressTime, shortBodyTime, streamStartTime, streamPatience, writeProgressTime, lingerTime] {
            precondition(time > .zero, "a time limit is above zero")
        }
    }
}
