import Encoding
import Testing

/// What one generation of clients sends: the heads of its requests, line for line in their order.
struct NixClient: Sendable, CustomTestStringConvertible {
    /// Where the lines are from.
    enum Origin: Sendable {
        /// The wire: a real client of that version against a server of ours.
        case captured
        /// The sources of that version, and libcurl's.
        case written
    }

    let name: String
    let origin: Origin
    let userAgent: String
    /// The value of Accept-Encoding, nil: no such line.
    let acceptEncoding: String?
    /// The same of PUT.
    var putAcceptEncoding: String?
    /// Bodies from this many bytes on wait for `100 Continue`: libcurl's EXPECT_100_THRESHOLD, which was 0 for PUT before 8.x.
    let expectThreshold: Int
    /// How often it asks for a narinfo by HEAD before `nix copy` goes on.
    let narInfoHeads: Int

    var testDescription: String { name }

    /// Nix up to 2.13: nothing of codings.
    static let nix23 = NixClient(
        name: "Nix 2.3.18", origin: .written, userAgent: "curl/7.74.0 Nix/2.3.18", acceptEncoding: nil, expectThreshold: 0, narInfoHeads: 1)
    static let nix28 = NixClient(
        name: "Nix 2.8.0", origin: .captured, userAgent: "curl/7.85.0 Nix/2.8.0", acceptEncoding: nil, expectThreshold: 0, narInfoHeads: 2)
    /// Nix 2.14 to 2.33: a list of Nix's own.
    static let nix226 = NixClient(
        name: "Nix 2.26.3", origin: .captured, userAgent: "curl/8.13.0 Nix/2.26.3", acceptEncoding: nixCodings,
        putAcceptEncoding: nixCodings, expectThreshold: 1 << 20, narInfoHeads: 3)
    /// Nix from 2.34: libcurl's list, and none on PUT.
    static let nix234 = NixClient(
        name: "Nix 2.34.8", origin: .captured, userAgent: "curl/8.23.0-rc3 Nix/2.34.8", acceptEncoding: curlCodings,
        expectThreshold: 1 << 20, narInfoHeads: 3)
    static let nix235 = NixClient(
        name: "Nix 2.35.2", origin: .written, userAgent: "curl/8.17.0 Nix/2.35.2", acceptEncoding: curlCodings,
        expectThreshold: 1 << 20, narInfoHeads: 3)
    static let lix291 = NixClient(
        name: "Lix 2.91", origin: .written, userAgent: "curl/8.9.1 Lix/2.91.1", acceptEncoding: nixCodings,
        putAcceptEncoding: nixCodings, expectThreshold: 1 << 20, narInfoHeads: 2)
    static let lix293 = NixClient(
        name: "Lix 2.93", origin: .written, userAgent: "curl/8.14.1 Lix/2.93.3", acceptEncoding: curlCodings,
        putAcceptEncoding: curlCodings, expectThreshold: 1 << 20, narInfoHeads: 2)

    static let all = [nix23, nix28, nix226, nix234, nix235, lix291, lix293]

    private static let nixCodings = "zstd, br, gzip, deflate, bzip2, xz"
    private static let curlCodings = "deflate, gzip, br, zstd"

    /// The head of a request without a body.
    ///
    /// - Parameter more: lines behind the others.
    func head(_ method: String, _ path: String, host: String, token: String?, more: [String] = []) -> String {
        // A range stands where libcurl puts it: before the agent; and from 2.34 on a resumed request asks for no coding.
        let ranges = more.filter { $0.hasPrefix("Range:") }
        var lines = ["\(method) \(path) HTTP/1.1", "Host: \(host)"]
        lines += authorization(token)
        lines += ranges
        lines += ["User-Agent: \(userAgent)", "Accept: */*"]
        if let acceptEncoding, ranges.isEmpty || acceptEncoding == NixClient.nixCodings { lines.append("Accept-Encoding: \(acceptEncoding)") }
        lines += more.filter { !$0.hasPrefix("Range:") }
        return lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    /// The head of a PUT, its body's length known, as it always is.
    func put(_ path: String, host: String, token: String?, type: String, byteCount: Int, coding: String? = nil) -> String {
        var lines = ["PUT \(path) HTTP/1.1", "Host: \(host)"]
        lines += authorization(token)
        lines += ["User-Agent: \(userAgent)", "Accept: */*"]
        if let putAcceptEncoding { lines.append("Accept-Encoding: \(putAcceptEncoding)") }
        lines.append("Content-Type: \(type)")
        if let coding { lines.append("Content-Encoding: \(coding)") }
        lines.append("Content-Length: \(byteCount)")
        if expectsContinue(byteCount: byteCount) { lines.append("Expect: 100-continue") }
        return lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    func expectsContinue(byteCount: Int) -> Bool { byteCount >= expectThreshold }

    /// What a netrc with `machine HOST`, `password TOKEN` and no login makes libcurl send, at once and always.
    private func authorization(_ token: String?) -> [String] {
        token.map { ["Authorization: Basic \(Base64.encode(Array(":\($0)".utf8)))"] } ?? []
    }
}
