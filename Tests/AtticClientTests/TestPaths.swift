import Crypto
import Nix
import NixStore
import Testing

/// Store paths that exist in no store, for tests.
enum TestPaths {
    /// The path of that number: its hash ends in the number's digits in base 32.
    static func path(_ number: Int, name: String = "path") throws -> StorePath {
        let digits = Array("0123456789abcdfghijklmnpqrsvwxyz")
        var hash = ""
        var rest = number
        for _ in 0..<32 {
            hash = String(digits[rest % 32]) + hash
            rest /= 32
        }
        return try StorePath(baseName: "\(hash)-\(name)-\(number)")
    }

    static func info(
        _ number: Int, references: [Int] = [], signatures: [String] = [], narSize: Int64 = 1000
    ) throws -> PathInfo {
        PathInfo(
            path: try path(number), narHash: SHA256.digest(of: [UInt8(truncatingIfNeeded: number)]), narSize: narSize,
            references: try references.map { try path($0) }, deriver: nil, signatures: signatures, ca: nil)
    }
}
