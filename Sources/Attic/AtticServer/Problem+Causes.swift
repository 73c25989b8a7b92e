import AtticAPI
import Database
import HTTPServer
import Logging
import Platform
import Storage

extension Problem {
    /// What a client is told of a lower error. Each kind is decided here and nowhere else; what the world did (files,
    /// SQL) is logged once, with the request's id, and reaches the client as a status only; what many requests meet is logged for
    /// one of them now and then.
    package init(cause: any Error, of request: Request, log: Logger, troubles: TroubleLog) {
        switch cause {
        case let problem as Problem:
            self = problem
        case let error as APIFormatError:
            self = .request("\(error)")
        case let error as RequestBodyError:
            self = Problem(body: error)
        case let error as DatabaseError:
            troubles.tell("database \(error.operation) \(error.kind) \(error.code)", .error, metadata: Problem.metadata(request), in: log) {
                "database: \(error)"
            }
            self = Problem(database: error)
        case let error as StorageError:
            troubles.tell("storage \(error.operation) \(error.kind)", .error, metadata: Problem.metadata(request), in: log) {
                "storage: \(error)"
            }
            self = Problem(storage: error)
        default:
            log.error("\(cause)", metadata: Problem.metadata(request))
            self = .internalServer
        }
    }

    /// What a client is told where the body of an answer could not be begun, and the log has said why; nil where that says nothing
    /// but that there is a fault of ours.
    init?(ofBody cause: any Error) {
        switch cause {
        case let problem as Problem: self = problem
        case let error as DatabaseError: self = Problem(database: error)
        case let error as StorageError: self = Problem(storage: error)
        default: return nil
        }
    }

    private init(database error: DatabaseError) {
        self =
            switch error.kind {
            case .full: .storageFull
            case .busy, .closed, .unreachable: .busy(retryAfterSeconds: 1)
            case .inDoubt: .inDoubt
            case .cannotOpen, .diskTrouble: .storageTrouble
            case .corrupt, .notOurs, .tooNew, .constraint, .other: .internalServer
            }
    }

    private init(body error: RequestBodyError) {
        self =
            switch error {
            case .tooLarge(let byteCountMax): .tooLarge("the request's body is larger than \(byteCountMax) bytes, the most that this URL takes.")
            // Most often nobody is left to read these two; the access log says 499 of the first, and 400 of the second.
            case .disconnected: .request("the connection ended before the body did.")
            case .timedOut: .request("the body did not arrive in time.")
            case .malformed(let reason): .request("the body is malformed: \(reason)")
            }
    }

    private init(storage error: StorageError) {
        self =
            switch error.cause {
            case .missing, .short: .incompleteNar
            case .full: .storageFull
            case .system, .unreachable, .refused: .storageTrouble
            case .unsupported, .inUse, .unknownVersion, .checkFailed: .internalServer
            }
    }

    private static func metadata(_ request: Request) -> Logger.Metadata {
        ["request": "\(request.id)", "method": "\(request.head.method)", "path": "\(request.head.target.path)"]
    }
}

extension StorageError {
    /// Its cause without what it befell.
    fileprivate var kind: String {
        switch cause {
        case .missing: "missing"
        case .short: "short"
        case .full: "full"
        case .unsupported: "unsupported"
        case .inUse: "inUse"
        case .unknownVersion: "unknownVersion"
        case .checkFailed: "checkFailed"
        case .unreachable: "unreachable"
        case .refused: "refused"
        case .system(let error): "\(error.errno)"
        }
    }
}
