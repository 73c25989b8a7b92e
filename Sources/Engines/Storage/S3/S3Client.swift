import Crypto
import HTTP
import HTTPClient
import Platform
import S3

/// Asks a bucket: signs each request, keeps to a pace, and tries again what fails for a while.
///
/// Every request can be repeated: an object's name is used once, and what is written under it is always the same.
///
/// Thread: any; a call blocks until the answer is there.
final class S3Client: Sendable {
    let bucket: S3Bucket
    let limits: S3Limits
    private let keyring: S3Keyring
    private let session: HTTPSession
    /// For `ping`, which waits neither for a connection that others have nor long for an answer.
    private let pingSession: HTTPSession
    let pace: S3Pace
    private let time: TimeSource

    /// Bytes of an answer that is no object: a list of a thousand keys is the longest.
    private static let documentBytesMax = 4 << 20

    /// - Throws: `.refused` where connections of that kind cannot be made.
    init(
        _ bucket: S3Bucket, _ keyring: S3Keyring, limits: S3Limits, time: TimeSource,
        sleep: @escaping @Sendable (Duration) -> Void
    ) throws(StorageError) {
        self.bucket = bucket
        self.limits = limits
        self.time = time
        self.keyring = keyring
        pace = S3Pace(limits, sleep: sleep)
        do throws(ClientError) {
            session = try HTTPSession(
                endpoint: bucket.server, timeouts: ClientTimeouts(connect: .seconds(5), silence: limits.silence),
                connectionsMax: limits.requestsMax)
            pingSession = try HTTPSession(
                endpoint: bucket.server, timeouts: ClientTimeouts(connect: .seconds(2), silence: min(.seconds(3), limits.silence)),
                connectionsMax: 1)
        } catch { throw StorageError("open", bucket.location(of: ""), .refused("\(error)")) }
    }

    /// What is asked.
    struct Question {
        var method: HTTP.Method
        var key: String
        var query: [S3Request.QueryItem] = []
        /// Signed, too; lower-case names.
        var headers: [String: String] = [:]
        var body: [UInt8] = []
        /// As errors call it: `read`, `write`.
        var operation: String
        /// Statuses beside 2xx that are an answer and no trouble.
        var answers: Set<Int> = []
    }

    /// Asks until there is an answer.
    ///
    /// - Returns: what came: 2xx, or one of the question's own.
    /// - Throws: `.unreachable` where all tries failed, `.refused` where another try would be refused as well.
    func ask(_ question: Question) throws(StorageError) -> ClientResponse { try askCounting(question).response }

    /// As `ask`.
    ///
    /// - Returns: also how many tries had no answer that counts: the bucket may do what they asked for yet, after all that is asked
    ///   later.
    func askCounting(_ question: Question) throws(StorageError) -> (response: ClientResponse, triesInDoubt: Int) {
        var tries = 0
        while true {
            switch try unsafe send(question) {
            case .answer(let response): return (response, tries)
            case .trouble(let words):
                tries += 1
                if tries >= limits.triesMax { throw error(question, .unreachable(words)) }
                pace.rest(after: tries)
            }
        }
    }

    /// Asks once, and not for long, whether an object is there.
    ///
    /// - Throws: `.refused` where it is not, `.unreachable` where nobody says.
    func ping(_ key: String) throws(StorageError) {
        let question = Question(method: .head, key: key, operation: "look at", answers: [404])
        switch try unsafe send(question, over: pingSession) {
        case .answer(let response) where response.status == .notFound: throw error(question, .refused("it is not there"))
        case .answer: return
        case .trouble(let words): throw error(question, .unreachable(words))
        }
    }

    /// What came of one try.
    enum Outcome {
        case answer(ClientResponse)
        /// Another try may do; why this one did not.
        case trouble(String)
    }

    /// Sends a question once.
    ///
    /// - Parameters:
    ///   - over: nil is the session of all.
    ///   - isReceived: whose body is taken.
    ///   - receive: takes the body of such an answer as it comes; nil keeps it in the answer. What it throws ends the try as
    ///     trouble.
    func send(
        _ question: Question, over other: HTTPSession? = nil, if isReceived: ((ResponseHead) -> Bool)? = nil,
        receiving receive: ((UnsafeRawBufferPointer) throws -> Void)? = nil
    ) throws(StorageError) -> Outcome {
        pace.admit()
        let session = other ?? session
        let signer = keyring.signer()
        var request = signed(question, by: signer)
        request.isReceived = isReceived
        let response: ClientResponse
        do throws(ClientError) {
            if let receive = unsafe receive {
                response = try unsafe session.send(request, receiving: receive)
            } else {
                response = try session.send(request)
            }
        } catch {
            switch error {
            case .unreachable, .timedOut, .disconnected, .malformed, .receiverFailed, .bodyFailed: return .trouble("\(error)")
            default: throw self.error(question, .refused("\(error)"))
            }
        }
        if response.status.isSuccess { return .answer(response) }
        let words = S3Client.words(of: response)
        if S3Client.isAboutKeys(response.status, words.code), keyring.hasOthers(than: signer.credentials) { return .trouble(words.text) }
        if question.answers.contains(response.status.code) {
            // A proxy before a server that is being started again says 404 as well: only the server's own word counts, and HEAD has none.
            let isOwn = response.status != .notFound || question.method == .head || ["NoSuchKey", "NoSuchUpload"].contains(words.code)
            if isOwn { return .answer(response) }
            if words.code != "NoSuchBucket" { return .trouble(words.text) }
        }
        switch response.status.code {
        // SlowDown and ServiceUnavailable are 503, InternalError is 500; some proxies before servers say 502 and 504.
        case 408, 429, 500, 502, 503, 504: return .trouble(words.text)
        // The connection was too slow for the server, which closes it.
        case 400 where words.code == "RequestTimeout": return .trouble(words.text)
        default: throw self.error(question, .refused(words.text + S3Client.advice(words.code)))
        }
    }

    func error(_ question: Question, _ cause: StorageError.Cause) -> StorageError {
        StorageError(question.operation, bucket.location(of: question.key), cause)
    }

    /// Whether an answer may say that the keys are not, or no more, those that are taken. One to HEAD has no code.
    private static func isAboutKeys(_ status: Status, _ code: String?) -> Bool {
        switch status.code {
        case 401, 403: true
        case 400: [nil, "ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId"].contains(code)
        default: false
        }
    }

    /// A URL under which anyone can ask for an object, whole or a range of it, from now on for so long.
    func presignedURL(of key: String, method: HTTP.Method, seconds: Int) -> String {
        let request = S3Request(method.rawValue, host: bucket.server.authority, path: bucket.path(of: key))
        let target = keyring.signer().presignedTarget(of: request, seconds: seconds, time: timeText)
        return bucket.server.serverText + target
    }

    /// As signatures have it: 2026-11-22T17:23:35Z without what is between.
    private var timeText: String { String(time.now().text.filter { $0 != "-" && $0 != ":" }) }

    private func signed(_ question: Question, by signer: S3Signer) -> ClientRequest {
        let request = S3Request(
            question.method.rawValue, host: bucket.server.authority, path: bucket.path(of: question.key), query: question.query,
            headers: question.headers)
        let digest = question.body.isEmpty ? .empty : S3Signer.Payload.hash(SHA256.digest(of: question.body))
        let headers = signer.headers(for: request, payload: digest, time: timeText).sorted { $0.key < $1.key }
        return ClientRequest(
            question.method, request.target, headers: headers.map { ($0.key, $0.value) },
            // What is written is not sent twice without a word: the first may come after the second.
            body: question.body.isEmpty ? .none : .bytes(question.body), mayRepeat: question.method != .put,
            answerBytesMax: S3Client.documentBytesMax)
    }

    /// What an answer says of an error: its code, and a sentence with it. HEAD and some servers say no more than the status.
    static func words(of response: ClientResponse) -> (code: String?, text: String) {
        let document = S3Document(response.body)?.root
        let code = document?.text(of: "Code")
        let message = document?.text(of: "Message").flatMap { $0.isEmpty ? nil : $0 }
        let said = [code, message].compactMap(\.self).joined(separator: ": ")
        return (code, "it answered \(response.status)" + (said.isEmpty ? "" : " (\(said.prefix(300)))"))
    }

    private static func advice(_ code: String?) -> String {
        switch code {
        case "InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "InvalidToken":
            "; check the credentials, and what they may do in the bucket"
        case "RequestTimeTooSkewed": "; set the clock of this machine, or of that"
        case "NoSuchBucket": "; make the bucket, or correct [storage] bucket"
        case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
            "; correct [storage] region and endpoint"
        default: ""
        }
    }
}
