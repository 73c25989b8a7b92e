import Logging
import Platform
import S3

/// What requests are signed with. Keys of a file are read again now and then, and whenever a service does not take them: those of a
/// session end, and whoever renews them writes the new ones there.
///
/// Thread: any.
final class S3Keyring: Sendable {
    private struct State {
        var signer: S3Signer
        var looked: MonotonicTime
    }

    private let state: Monitor<State>
    private let region: String
    private let place: S3CredentialsFile.Place?
    private let clock: @Sendable () -> MonotonicTime
    private let log: Logger

    /// How long keys that were changed in the file may go unnoticed while the old ones are taken: some hundred bytes are read as often.
    static let lookInterval = Duration.seconds(60)

    /// - Parameters:
    ///   - place: where the credentials were read; nil for those that stay.
    ///   - clock: for tests.
    init(
        _ credentials: S3Credentials, readFrom place: S3CredentialsFile.Place?, region: String, log: Logger,
        clock: @escaping @Sendable () -> MonotonicTime = { .now }
    ) {
        self.place = place
        self.region = region
        self.log = log
        self.clock = clock
        state = Monitor(State(signer: S3Signer(credentials, region: region), looked: clock()))
    }

    /// What the next request is signed with.
    func signer() -> S3Signer {
        let now = clock()
        let (signer, isDue) = state.withLock { state in
            let isDue = place != nil && now - state.looked >= S3Keyring.lookInterval
            // The others do not wait for who looks.
            if isDue { state.looked = now }
            return (state.signer, isDue)
        }
        return isDue ? look() : signer
    }

    /// The service does not take these credentials: whether there are others by now. One look at the file, where it has not been
    /// looked at since they were used.
    func hasOthers(than used: S3Credentials) -> Bool {
        if place == nil { return false }
        if state.withLock({ $0.signer.credentials }) != used { return true }
        return look().credentials != used
    }

    /// Reads the file. What is not there, or half written, changes nothing.
    private func look() -> S3Signer {
        guard let place else { return state.withLock { $0.signer } }
        let found: S3Credentials?
        do throws(SystemError) { found = try place.read() } catch {
            log.warning("the keys to the bucket stay as they were: \(error)")
            return state.withLock { $0.signer }
        }
        let (signer, isNew) = state.withLock { state in
            guard let found, found != state.signer.credentials else { return (state.signer, false) }
            state.signer = S3Signer(found, region: region)
            return (state.signer, true)
        }
        if isNew { log.info("the keys to the bucket were renewed from \(place.path): \(signer.credentials)") }
        return signer
    }
}

extension S3CredentialsFile.Place {
    /// A file of keys, in bytes; a few hundred for each profile.
    private static let fileBytesMax = 1 << 20

    /// Reads the keys that are there now; nil where the file has none for the profile.
    ///
    /// - Throws: where the file cannot be read, or is above 1 MiB.
    package func read() throws(SystemError) -> S3Credentials? {
        let bytes = try File.readAll(path, byteCountMax: Self.fileBytesMax)
        return S3CredentialsFile.credentials(in: String(decoding: bytes, as: UTF8.self), profile: profile)
    }
}
