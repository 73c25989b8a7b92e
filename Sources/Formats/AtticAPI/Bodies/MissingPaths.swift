import Encoding
import Nix

/// Which of these paths are not in the cache? Asked before a push, with 100,000 hashes and more at once.
package struct MissingPathsRequest: Hashable, Sendable {
    package let cache: CacheName
    package let storePathHashes: [StorePathHash]

    package init(cache: CacheName, storePathHashes: [StorePathHash]) {
        self.cache = cache
        self.storePathHashes = storePathHashes
    }

    package init(json bytes: [UInt8]) throws(APIFormatError) {
        let members = try MemberReader(bytes)
        self.init(
            cache: try required("cache", members.cacheName),
            storePathHashes: try readHashes("store_path_hashes", of: members))
    }

    package func json() -> [UInt8] {
        JSONObject([
            ("cache", .string(cache.rawValue)), ("store_path_hashes", .strings(storePathHashes.map(\.description))),
        ]).wireBytes
    }
}

/// Those that are not, in the order in which they were asked for.
package struct MissingPathsResponse: Hashable, Sendable {
    package let missingPaths: [StorePathHash]

    package init(missingPaths: [StorePathHash]) { self.missingPaths = missingPaths }

    package init(json bytes: [UInt8]) throws(APIFormatError) {
        self.init(missingPaths: try readHashes("missing_paths", of: try MemberReader(bytes)))
    }

    package func json() -> [UInt8] {
        JSONObject([("missing_paths", .strings(missingPaths.map(\.description)))]).wireBytes
    }
}

private func readHashes(_ name: String, of members: MemberReader) throws(APIFormatError) -> [StorePathHash] {
    let elements = try required(name) { name throws(APIFormatError) in
        try members.value(name, "a list of store path hashes", \.arrayValue)
    }
    var hashes: [StorePathHash] = []
    hashes.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
        guard let hash = element.stringValue.flatMap({ StorePathHash($0) }) else {
            throw APIFormatError(member: "\(name)[\(index)]", "must be 32 characters of Nix's base 32")
        }
        hashes.append(hash)
    }
    return hashes
}
