import AtticClient

/// How the process ends.
enum ExitStatus: Int32 {
    case done = 0
    case failed = 1
    case usage = 2
    case notPermitted = 3
    case unreachable = 4
    case partly = 5

    init(_ kind: ClientFailure.Kind) {
        self = switch kind {
        case .usage: .usage
        case .notPermitted: .notPermitted
        case .unreachable: .unreachable
        case .partly: .partly
        case .failed: .failed
        }
    }
}
