import AtticAPI
import ConfigFile
import Platform
import S3
import Storage

/// What `[storage]` says of a bucket, with the keys to it.
package struct S3Settings: Sendable, Equatable {
    package internal(set) var bucket: S3Bucket
    package internal(set) var credentials: S3Credentials
    /// Where they were read, where that was a file of AWS's own tools; else they stay as they are.
    package internal(set) var credentialsFile: S3CredentialsFile.Place?
    package internal(set) var limits = S3Limits()
    /// How long a pack stays when nothing lives in it any more, in seconds: answers under way are sent from it.
    package internal(set) var graceSeconds: Int64 = 21_600
    /// Whether who asks for a NAR that is a whole pack is sent to the bucket for it.
    package internal(set) var redirects = false
}

extension Configuration {
    /// What keeps the chunks, for people.
    var storageName: String { s3.map { "s3://\($0.bucket.name)" } ?? storagePath }

    mutating func readStorage(_ section: TOMLSection, _ environment: [String: String]) throws(ConfigFileError) {
        let type = try section.string("type") ?? "local"
        switch type {
        case "local": try readDirectory(section)
        case "s3":
            s3 = try Self.bucket(section, environment)
            if try section.section("credentials").has("secret_access_key") { holdsSecret = true }
        default: throw section.error(at: "type", "\"\(type)\" is no storage type; write \"local\" or \"s3\"")
        }
    }

    private mutating func readDirectory(_ section: TOMLSection) throws(ConfigFileError) {
        guard let path = try section.string("path"), !path.isEmpty else {
            throw section.error(
                at: "path", "\"path\" in [storage] is missing; write the directory that chunks are to be kept in")
        }
        guard path.hasPrefix("/") else {
            // It would be another directory whenever atticd is started from another one.
            throw section.error(at: "path", "\"\(path)\" is a relative path; write the whole path, from / on")
        }
        storagePath = path
    }

    private static func bucket(_ section: TOMLSection, _ environment: [String: String]) throws(ConfigFileError) -> S3Settings {
        guard let name = try section.string("bucket"), !name.isEmpty else {
            throw section.error(at: "bucket", "\"bucket\" in [storage] is missing; write the name of a bucket that is there")
        }
        let region = try section.string("region") ?? found("AWS_REGION", environment) ?? found("AWS_DEFAULT_REGION", environment)
        guard let region, !region.isEmpty, region.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }) else {
            throw section.error(
                at: "region",
                "\"region\" in [storage] is missing; write the bucket's, as in \"eu-central-1\"; servers of one's own take \"us-east-1\" as a rule")
        }
        var addressing: S3Bucket.Addressing?
        if let text = try section.string("addressing") {
            guard let known = S3Bucket.Addressing(rawValue: text) else {
                throw section.error(at: "addressing", "\"\(text)\" is no way to address a bucket; write \"path\" or \"virtual-host\"")
            }
            addressing = known
        }
        let bucket: S3Bucket
        do throws(S3BucketError) {
            bucket = try S3Bucket(name, region: region, endpoint: try endpoint(section), addressing: addressing)
        } catch {
            switch error {
            case .name(let sentence): throw section.error(at: "bucket", sentence)
            case .endpoint(let sentence): throw section.error(at: "endpoint", sentence)
            }
        }
        let (keys, file) = try credentials(section, environment)
        var settings = S3Settings(bucket: bucket, credentials: keys, credentialsFile: file)
        if let value = try section.bool("redirect") { settings.redirects = value }
        if let value = try section.integer("max-requests", in: 1...1024) { settings.limits.requestsMax = Int(value) }
        if let value = try section.integer("max-requests-per-second", in: 1...1_000_000) {
            settings.limits.requestsPerSecondMax = Int(value)
        }
        if let text = try section.string("grace-period") {
            do throws(DurationError) { settings.graceSeconds = try DurationWords.parse(text) } catch {
                throw section.error(at: "grace-period", error.description)
            }
            guard settings.graceSeconds <= durationSecondsMax else {
                throw section.error(at: "grace-period", "\"\(text)\" is longer than 1000 years")
            }
        }
        return settings
    }

    /// Nil for AWS itself.
    private static func endpoint(_ section: TOMLSection) throws(S3BucketError) -> String? {
        do throws(ConfigFileError) { return try section.string("endpoint") } catch { throw .endpoint("\"endpoint\" must be a string") }
    }

    /// The keys: from the configuration, else from the environment, else from the file of AWS's own tools; and that file's place.
    private static func credentials(
        _ storage: TOMLSection, _ environment: [String: String]
    ) throws(ConfigFileError) -> (S3Credentials, S3CredentialsFile.Place?) {
        let section = try storage.section("credentials")
        let (id, secret) = (try section.string("access_key_id"), try section.string("secret_access_key"))
        let token = try section.string("session_token")
        switch (id, secret) {
        case (let id?, let secret?):
            if id.isEmpty { throw section.error(at: "access_key_id", "\"access_key_id\" is empty") }
            if secret.isEmpty { throw section.error(at: "secret_access_key", "\"secret_access_key\" is empty") }
            return (S3Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token), nil)
        case (nil, nil): break
        case (_?, nil):
            throw section.error(
                at: "access_key_id", "[storage.credentials] has \"access_key_id\" alone; write \"secret_access_key\" beside it")
        case (nil, _?):
            throw section.error(
                at: "secret_access_key", "[storage.credentials] has \"secret_access_key\" alone; write \"access_key_id\" beside it")
        }
        if let id = found(EnvironmentVariable.awsKeyID, environment), let secret = found(EnvironmentVariable.awsSecret, environment) {
            let token = found(EnvironmentVariable.awsToken, environment)
            return (S3Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: token), nil)
        }
        let profile = found("AWS_PROFILE", environment) ?? "default"
        let path = found("AWS_SHARED_CREDENTIALS_FILE", environment) ?? found("HOME", environment).map { "\($0)/.aws/credentials" }
        let place = path.map { S3CredentialsFile.Place(path: $0, profile: profile) }
        if let place, let credentials = try? place.read() { return (credentials, place) }
        throw storage.error(
            at: "credentials",
            "there are no keys to the bucket: write access_key_id and secret_access_key into [storage.credentials], set \(EnvironmentVariable.awsKeyID) and \(EnvironmentVariable.awsSecret), or have them in the profile \"\(profile)\" of \(path ?? "~/.aws/credentials")")
    }

    private static func found(_ variable: String, _ environment: [String: String]) -> String? {
        environment[variable].flatMap { $0.isEmpty ? nil : $0 }
    }
}
