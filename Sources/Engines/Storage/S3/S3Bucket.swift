import HTTPClient
import S3

/// Where a bucket is, and how it is asked: what `[storage]` says of it.
package struct S3Bucket: Sendable, Equatable {
    /// How the bucket stands in a URL.
    package enum Addressing: String, Sendable, CaseIterable {
        /// `https://endpoint/bucket/key`: for servers of one's own.
        case path
        /// `https://bucket.endpoint/key`: what AWS asks for.
        case virtualHost = "virtual-host"
    }

    package let name: String
    package let region: String
    /// Scheme, host and port that connections are made to.
    let server: HTTPURL
    /// Before every key: the path of the endpoint, and the bucket's name where it stands there. No slash at the end.
    let basePath: String

    /// - Parameters:
    ///   - endpoint: `http://host:port`, of the service and not of the bucket; nil for AWS.
    ///   - addressing: nil for `path` where there is an endpoint, or the name has a dot (no certificate covers such a host), else
    ///     `virtualHost`.
    /// - Throws: `S3BucketError`, whose sentence names what is wrong.
    package init(
        _ name: String, region: String, endpoint: String?, addressing: Addressing? = nil
    ) throws(S3BucketError) {
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
        guard (3...63).contains(name.utf8.count), name.utf8.allSatisfy({ byte in
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
        }) else { throw .name("\"\(name)\" is no name of a bucket: 3 to 63 lower-case letters, digits, hyphens and dots") }
        self.name = name
        self.region = region
        let address = addressing ?? (endpoint == nil && !name.contains(".") ? .virtualHost : .path)
        let text = endpoint ?? "https://s3.\(region).amazonaws.com"
        do throws(ClientError) {
            let url = try HTTPURL(text)
            if url.query != nil { throw ClientError.malformedURL(text, reason: "an endpoint has no query") }
            let path = url.path.hasSuffix("/") ? String(url.path.dropLast()) : url.path
            switch address {
            case .path:
                server = try HTTPURL("\(url.scheme.rawValue)://\(url.authority)")
                basePath = "\(path)/\(name)"
            case .virtualHost:
                server = try HTTPURL("\(url.scheme.rawValue)://\(name).\(url.authority)")
                basePath = path
            }
        } catch { throw .endpoint("\(error)") }
    }

    /// The URL's path of a key; of the bucket itself where that is empty.
    func path(of key: String) -> String {
        let path = "\(basePath)/\(S3Request.encoded(key, keepingSlashes: true))"
        // `/bucket`, and `/` of a bucket that is a host.
        return key.isEmpty && !basePath.isEmpty ? basePath : path
    }

    /// For people: `s3://bucket/key`.
    func location(of key: String) -> String { "s3://\(name)/\(key)" }
}

/// What is wrong with what was said of a bucket; a sentence each.
package enum S3BucketError: Error, Sendable, Hashable {
    case name(String)
    case endpoint(String)

    package var sentence: String {
        switch self {
        case .name(let sentence), .endpoint(let sentence): sentence
        }
    }
}

/// How much a bucket is asked for at once.
package struct S3Limits: Sendable, Equatable {
    /// Requests under way at once, each with a connection of its own.
    package var requestsMax = 64
    /// Requests begun in a second; AWS takes 3,500 writes and 5,500 reads a second for each prefix.
    package var requestsPerSecondMax = 3000
    /// Bytes of a part of an upload. Servers demand 5 MiB; a few parts of each upload are in memory.
    package var partBytes = 8 << 20
    /// Bytes that one range asks for at most.
    package var rangeBytes = 4 << 20
    /// How long ago a pack was seen at most for which a URL is given away: who has that asks the bucket, and nobody here hears what it says.
    package var sightTime = Duration.seconds(60)
    /// Bytes that are read ahead of one client.
    package var readAheadBytes: Int64 = 24 << 20
    /// Ranges that are read ahead of one client.
    package var readAheadRangesMax = 16
    /// Bytes that are read ahead of all clients.
    package var readAheadBytesOfAll: Int64 = 192 << 20
    /// How often a request is sent before its trouble is told.
    package var triesMax = 10
    /// The first wait between two tries is this at most, and twice as much each time.
    package var backoff = Duration.milliseconds(50)
    package var backoffMax = Duration.seconds(5)
    /// For the next byte to move.
    package var silence = Duration.seconds(30)

    package init() {}
}
