import AtticAPI
import HTTP
import HTTPServer

/// Everything a client can be told went wrong: the closed list. A lower error becomes one of these in exactly one
/// place (`Problem+Causes.swift`); its details go to the log under the request's id and never to the client.
package enum Problem: Error, Hashable, Sendable {
    case notFound
    case methodNotAllowed(allowed: String)
    /// `reason` says which of: no token, expired, bad signature, not permitted.
    case unauthorized(reason: String)
    /// The same of a read of a binary cache, whose status the configuration decides (`refused-read-status`).
    case refusedRead(Status, reason: String)
    /// The visitor may know of the cache, but not do this.
    case accessDenied
    case noSuchCache
    case cacheAlreadyExists
    case noSuchObject
    /// The path is here, and its NAR has no listing; why, as the end of a sentence.
    case noListing(String)
    case incompleteNar
    /// The request itself is wrong; the text says where and what to do.
    case request(String)
    case tooLarge(String)
    /// The body is in a form that is not read here; the text says which ones are.
    case unsupportedForm(String)
    /// The visitor may do this elsewhere, but nobody may do it here.
    case refused(String)
    /// What the request relies on is not as it was; the text says what to do.
    case conflict(String)
    case storageFull
    /// The disk, or the limits of the system, refuse what should work; it may again.
    case storageTrouble
    case busy(retryAfterSeconds: Int)
    /// The database went away before it said whether it has what the request wrote.
    case inDoubt
    /// Of `/_health` only: what the server needs does not answer, or it is about to end; the text says which.
    case notReady(String)
    case internalServer

    package var status: Status {
        switch self {
        case .notFound, .noSuchCache, .noSuchObject, .noListing: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .unauthorized: .unauthorized
        case .refusedRead(let status, _): status
        case .accessDenied, .refused: .forbidden
        case .cacheAlreadyExists, .request: .badRequest
        case .tooLarge: .contentTooLarge
        case .unsupportedForm: .unsupportedMediaType
        case .conflict: .conflict
        case .incompleteNar, .storageTrouble, .busy, .notReady: .serviceUnavailable
        case .storageFull: .insufficientStorage
        // No 503, which says that nothing was done: not every request may come twice.
        case .inDoubt: .gatewayTimeout
        case .internalServer: .internalServerError
        }
    }

    /// The word that clients match on.
    package var name: String {
        switch self {
        case .notFound: "NotFound"
        case .unauthorized, .refusedRead: "Unauthorized"
        case .accessDenied, .refused: "AccessError"
        case .noSuchCache: "NoSuchCache"
        case .cacheAlreadyExists: "CacheAlreadyExists"
        case .noSuchObject: "NoSuchObject"
        case .noListing: "NoListing"
        case .incompleteNar: "IncompleteNar"
        case .methodNotAllowed, .request, .tooLarge, .unsupportedForm, .conflict: "RequestError"
        case .storageFull: "StorageFull"
        case .storageTrouble: "StorageTrouble"
        case .busy: "Busy"
        case .inDoubt: "InDoubt"
        case .notReady: "NotReady"
        case .internalServer: "InternalServerError"
        }
    }

    /// The sentence for people.
    package var message: String {
        switch self {
        case .notFound: "The URL you requested was not found."
        case .methodNotAllowed(let allowed): "General request error: this URL takes \(allowed) only."
        case .unauthorized(let reason), .refusedRead(_, let reason): "Unauthorized. \(reason)"
        case .accessDenied: "Access error: User does not have permission to complete this action."
        case .noSuchCache: "The requested cache does not exist."
        case .cacheAlreadyExists: "The cache already exists."
        case .noSuchObject: "The requested object does not exist."
        case .noListing(let reason): "The NAR of that path has no listing: \(reason)."
        case .incompleteNar: "The requested NAR has missing chunks and needs to be repaired."
        case .request(let text): "General request error: \(text)"
        case .tooLarge(let text), .unsupportedForm(let text), .conflict(let text): "General request error: \(text)"
        case .refused(let text): "Access error: \(text)"
        case .storageFull: "The server's disk is full: nothing of this request was kept. Free space on the server, then try again."
        case .storageTrouble: "The server's disk does not take or give bytes at the moment: nothing of this request was kept. Try again later; the server's log says more."
        case .busy: "The server is busy. Try again in a moment."
        case .inDoubt: "The database went away before it said whether this was done. Look whether it was, or do it again."
        case .notReady(let text): text
        case .internalServer: "The server encountered an internal error or misconfiguration."
        }
    }

    /// The same, said of one store path among several of a request.
    func of(_ storePath: String) -> Problem {
        switch self {
        case .request(let text): .request("\(storePath): \(text)")
        case .tooLarge(let text): .tooLarge("\(storePath): \(text)")
        case .notFound, .methodNotAllowed, .unauthorized, .refusedRead, .accessDenied, .noSuchCache, .cacheAlreadyExists,
            .noSuchObject, .noListing, .incompleteNar, .unsupportedForm, .refused, .conflict, .storageFull, .storageTrouble, .busy,
            .inDoubt, .notReady, .internalServer:
            self
        }
    }

    /// The same to plain Nix that pushes. Until 2.32 it sends a PUT again that was answered 408, 429 or most of 5xx, and then
    /// without its body (`CurlDownloader::enqueueItem` in nix/src/libstore/filetransfer.cc does not rewind it): it hangs until
    /// the server hangs up. So what can be put otherwise is a status that Nix takes as final, and shows.
    var toPlainNix: Problem {
        switch self {
        case .storageFull: .tooLarge("the server's disk is full, and nothing of this was kept: free space on the server, then push again.")
        case .storageTrouble: .conflict("the server's disk does not work at the moment, and nothing of this was kept: push again later.")
        case .busy: .conflict("something that this relies on was changed meanwhile, and nothing of it was kept: push again.")
        case .inDoubt: .conflict("the database went away before it said whether it keeps this: push again.")
        case .incompleteNar: .conflict("stored bytes of this NAR are missing: push it again.")
        case .notFound, .methodNotAllowed, .unauthorized, .refusedRead, .accessDenied, .noSuchCache, .cacheAlreadyExists,
            .noSuchObject, .noListing, .request, .tooLarge, .unsupportedForm, .refused, .conflict, .notReady, .internalServer:
            self
        }
    }

    /// The answer as it goes over the wire: protocol's error body, and the headers that go with some of them.
    package var response: Response {
        // No error is worth keeping between here and the client: a 404 of a narinfo ends with the push of its path, and caches keep
        // one as they see fit where nothing is said (RFC 9111, section 4.2.2).
        var headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        switch self {
        case .unauthorized, .refusedRead(.unauthorized, _): headers.append(("WWW-Authenticate", "Basic realm=\"tetryx\", charset=\"UTF-8\""))
        case .methodNotAllowed(let allowed): headers.append(("Allow", allowed))
        case .busy(let seconds): headers.append(("Retry-After", String(seconds)))
        case .inDoubt: headers.append(("Retry-After", "1"))
        case .storageTrouble: headers.append(("Retry-After", "2"))
        case .notFound, .refusedRead, .accessDenied, .noSuchCache, .cacheAlreadyExists, .noSuchObject, .noListing, .incompleteNar,
            .request, .tooLarge, .unsupportedForm, .refused, .conflict, .storageFull, .notReady, .internalServer:
            break
        }
        let body = ErrorBody(code: status.code, error: name, message: message)
        return Response(status, headers: headers, body: .bytes(body.json()))
    }
}
