import CPostgres

extension PostgresConnection {
    /// SQLSTATE codes: https://www.postgresql.org/docs/15/errcodes-appendix.html
    static func kind(of code: String) -> SQLError.Kind {
        switch code {
        // Serialization failure, deadlock, lock not available, query cancelled by a timeout.
        case "40001", "40P01", "55P03", "57014", "25P03": .busy
        case "53100", "53200": .full
        case "53300", "57P01", "57P02", "57P03": .disconnected
        case "25006", "42501": .readOnly
        case "58030": .inputOutput
        case "XX001", "XX002": .corrupt
        case "3D000": .cannotOpen
        default:
            switch code.prefix(2) {
            case "08": .disconnected
            case "23": .constraint
            case "28": .cannotOpen
            default: .other
            }
        }
    }

    /// Why libpq does not believe a server, of what it said of all addresses that it tried; nil where that was not what kept it away.
    /// Its words have no code: fe-secure-openssl.c, fe-secure-common.c and fe-connect.c of PostgreSQL.
    ///
    /// - Parameter message: as `oneLine` gives it.
    static func distrust(in message: String) -> String? {
        let signs = [
            "certificate verify failed", "server certificate for ", "root certificate file ", "server does not support SSL, but SSL was required",
        ]
        return message.split(separator: "; ").first { part in signs.contains { part.contains($0) } }.map(String.init)
    }

    /// libpq's messages end with a line break, and have one between the addresses that it tried.
    static func oneLine(_ message: UnsafePointer<CChar>?) -> String {
        guard let message = unsafe message else { return "it gives no reason" }
        let text = unsafe String(cString: message)
        return text.split(whereSeparator: \.isNewline).map { line in line.drop(while: \.isWhitespace) }.joined(separator: "; ")
    }
}
