import Encoding
import Nix

/// What became of several paths that were uploaded in one request, in the order in which they were sent.
package struct UploadPathsResult: Hashable, Sendable {
    package struct Path: Hashable, Sendable {
        package let storePathHash: StorePathHash
        package let result: UploadPathResult

        package init(storePathHash: StorePathHash, result: UploadPathResult) {
            self.storePathHash = storePathHash
            self.result = result
        }
    }

    package let results: [Path]

    package init(results: [Path]) { self.results = results }

    package init(json bytes: [UInt8]) throws(APIFormatError) {
        let elements = try required("results") { name throws(APIFormatError) in
            try MemberReader(bytes).value(name, "a list of results", \.arrayValue)
        }
        var results: [Path] = []
        results.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            do throws(APIFormatError) { results.append(try Path(element)) } catch {
                throw APIFormatError(member: "results[\(index)]", "cannot be read: \(error)")
            }
        }
        self.init(results: results)
    }

    package func json() -> [UInt8] {
        let paths = results.map { path in
            JSON.object(JSONObject(
                present: path.result.members + [("store_path_hash", .string(path.storePathHash.description))]))
        }
        return JSONObject([("results", .array(paths))]).wireBytes
    }
}

extension UploadPathsResult.Path {
    fileprivate init(_ json: JSON) throws(APIFormatError) {
        guard let object = json.objectValue else { throw APIFormatError(member: nil, "it is not a JSON object") }
        let members = MemberReader(object)
        self.init(
            storePathHash: try required("store_path_hash") { name throws(APIFormatError) in
                try members.value(name, "32 characters of Nix's base 32") { $0.stringValue.flatMap { StorePathHash($0) } }
            },
            result: try UploadPathResult(members))
    }
}
