import Database

/// Bounds on what handlers take in, beside the HTTP engine's own `Limits`.
enum Bounds {
    /// A cache's configuration as JSON, in bytes: a few fields and at most 100 key names.
    static let configurationBytesMax = 256 << 10
    /// A list of store path hashes as JSON, in bytes: 100,000 hashes are 3.5 MB; this is room for 230,000. Read into values,
    /// the worst JSON takes 16 times its bytes of memory.
    static let missingPathsBytesMax = 8 << 20
    /// Store path hashes of one `get-narinfos-v1`: the largest systems have closures of some thousand paths, and one that
    /// nobody asked for before costs a signature each, half a second for all of these.
    static let narInfosMax = 10_000
    /// The body of one such request, in bytes: that many hashes, a line each, and room for other line ends.
    static let narInfosRequestBytesMax = 10_000 * 34
    /// Store paths of one `closure.narinfo`, for the same reason.
    static let closurePathsMax = 10_000
    /// What many narinfos in one answer may take, in bytes: some hundred for each path, all of it in memory at once.
    static let narInfosAnswerBytesMax = 16 << 20
    /// References of one store path; the largest closures known have a few thousand.
    static let referencesMax = 100_000
    /// Signatures of one store path.
    static let signaturesMax = NewObject.signaturesMax
    /// Store paths of one `upload-paths`: their rows are one transaction, for which other writers wait.
    static let uploadPathsMax = 1024
    /// Bytes of all NARs of one `upload-paths`: all is sent again where one of them is bad.
    static let uploadPathsNarBytesMax: Int64 = 16 << 20
    /// Bytes of all descriptions in one `upload-paths`, which stay in memory until it is committed: 4 KiB for each path.
    static let uploadPathsInfoBytesMax = 4 << 20
    /// References of all paths of one `upload-paths`: each is a row of that one transaction.
    static let uploadPathsReferencesMax = 25_000
    /// Caches that are looked through after an upload, to find out whether its sender may read all of them: some hundred microseconds.
    /// Where there are more, only a token for all caches counts as one.
    static let overlapCachesMax = 500
    /// How long a URL holds that sends a client to the bucket for a NAR, in seconds: what began before goes on, and who is broken off
    /// asks here for another. It has to bear some difference between the bucket's clock and ours, and outlasts a token that is revoked.
    static let presignedSeconds = 300
    /// Texts shorter than this, in bytes, are never compressed for a client: they fit into one packet as they are.
    static let codedTextBytesMin = 1024
    /// Texts longer than this, in bytes, are opened while they are sent: one for each of many slow clients would not fit into
    /// memory.
    static let wholeTextBytesMax = 1 << 20
    /// NARs below this many bytes get no row for their listing: it is made of the stored bytes whenever somebody asks, which takes
    /// half a millisecond at most; docs/performance.md has the figures.
    static let keptListingNarBytesMin: Int64 = 256 << 10
    /// The text of a listing in bytes, about 70 for each file: the largest trees known have some hundred thousand files. A NAR
    /// with a larger one has none.
    static let listingBytesMax = 64 << 20
    /// The same compressed, which stays in memory until the upload is committed: listings shrink to an eighth.
    static let listingFrameBytesMax = 16 << 20
    /// A listing that is sent to us, in bytes: newer Nix writes more for each file. Nothing of it is kept.
    static let receivedListingBytesMax = 192 << 20
    /// A build log, in bytes: the longest builds known write some tens of MiB. Nothing of it is kept in memory but what it is
    /// stored as.
    static let buildLogBytesMax = 64 << 20
    /// A build log as it is stored, in bytes: what is put into one row while other writers wait. Text takes a tenth or less of
    /// its length.
    static let buildLogStoredBytesMax = 8 << 20
    /// A realisation as JSON, in bytes: 130 for each that it depends on, room for thousands.
    static let realisationBytesMax = 1 << 20
    /// Memory that each upload may use to open what it is sent, in bytes, NARs without asking and documents at all: xz to level 7 and zstd to level 19 need less
    /// than 18 MiB.
    static let smallWindowBytesMax = 24 << 20
    /// Uploads of NARs that may use more at once, up to 128 MiB each (`StreamCoding.decoderByteCountMax`).
    static let largeWindowsMax = 4
    /// Bytes of a file that are there before it is opened: what it needs stands in its first few (a block header of xz has 1,024 at
    /// most, behind 12).
    static let fileHeadBytesMin = 2048
    /// How long a NAR of plain Nix waits for its narinfo, in seconds. Nix sends that next, or, where it sends all NARs first, at
    /// the end of a push.
    static let receivedFileSeconds: Int64 = 24 * 3600
    /// How long such a NAR must still be held to be told as here, in seconds: whoever hears of it sends its narinfo next, or, where
    /// it asks for all NARs first, at the end of a push.
    static let receivedFileSecondsLeftMin: Int64 = 3600
    /// How long an upload waits for leave to use more memory, in seconds. Those that have it may be slow, and a transfer thread
    /// waits with it.
    static let largeWindowWaitSeconds: Int64 = 60
    /// A lease that no longer renews itself ends after this many seconds, and what it held may be collected. An upload
    /// renews it long before, and a body that stalls is cut by the engine's limits much earlier.
    static let leaseSeconds: Int64 = 3600
    /// How often a running upload renews its lease, in seconds.
    static let leaseRenewalSeconds: Int64 = 600
}
