/// A shared credentials file, as AWS's own tools read it.
///
///     [default]
///     aws_access_key_id = AKIA…
///     aws_secret_access_key = …
///     aws_session_token = …
///
/// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
package enum S3CredentialsFile {
    /// A file, and whose keys of those in it are meant.
    package struct Place: Sendable, Hashable {
        package let path: String
        package let profile: String

        package init(path: String, profile: String) {
            self.path = path
            self.profile = profile
        }
    }

    /// The keys of a profile; nil where the file has no such profile, or one without an access key and its secret.
    package static func credentials(in text: String, profile: String) -> S3Credentials? {
        var values: [String: String] = [:]
        var isWanted = false
        for line in text.split(whereSeparator: \.isNewline) {
            let line = trimmed(line)
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("["), line.hasSuffix("]") {
                isWanted = trimmed(line.dropFirst().dropLast()) == profile
                continue
            }
            guard isWanted, let sign = line.firstIndex(of: "=") else { continue }
            values[trimmed(line[..<sign]).lowercased()] = String(trimmed(line[line.index(after: sign)...]))
        }
        guard let id = values["aws_access_key_id"], let secret = values["aws_secret_access_key"], !id.isEmpty, !secret.isEmpty
        else { return nil }
        return S3Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: values["aws_session_token"])
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
