/// Why a token is not accepted. The description goes to the client, so it never holds the token itself.
package enum TokenError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is not a JSON Web Token of the form that is understood here.
    case malformed(String)
    /// Its `alg` is not the one that the server was configured with.
    case wrongAlgorithm(name: String, wanted: String)
    /// Its header names an extension in `crit` that must be understood, and is not (RFC 7515, section 4.1.11).
    case unknownCritical(String)
    case badSignature
    /// Its `exp` is over, in seconds since 1970.
    case expired(at: Int64)
    /// Its `nbf` is to come, in seconds since 1970.
    case notYetValid(from: Int64)
    /// Its `iat` is further ahead than clocks differ, in seconds since 1970.
    case madeInTheFuture(at: Int64)
    /// Its `iss` is missing or not the one that the server asks for.
    case wrongIssuer
    /// Its `aud` is missing or names nobody that the server answers to.
    case wrongAudience

    package var description: String {
        switch self {
        case .malformed(let reason): "the token is malformed: \(reason)"
        case .wrongAlgorithm(let name, let wanted): "the token is signed with \"\(name)\"; this server takes \(wanted)"
        case .unknownCritical(let name): "the token needs the extension \"\(name)\", which this server does not know"
        case .badSignature: "the token's signature is wrong: it was made with another secret, or changed"
        case .expired(let moment): "the token has expired (at \(moment) seconds since 1970); make a new one"
        case .notYetValid(let moment): "the token is not valid yet (from \(moment) seconds since 1970)"
        case .madeInTheFuture(let moment):
            "the token says that it was made in the future (at \(moment) seconds since 1970): the clock of who made it, or this server's, is wrong"
        case .wrongIssuer: "the token's issuer is not the one that this server takes"
        case .wrongAudience: "the token is for another audience"
        }
    }
}
