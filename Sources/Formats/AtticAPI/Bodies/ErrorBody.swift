import Encoding

/// The body of every answer that is an error: `{"code":404,"error":"NoSuchObject","message":"…"}`.
package struct ErrorBody: Hashable, Sendable {
    /// The HTTP status.
    package let code: Int
    /// The name of the error, for programs.
    package let error: String
    /// The sentence, for people.
    package let message: String

    package init(code: Int, error: String, message: String) {
        self.code = code
        self.error = error
        self.message = message
    }

    package init(json bytes: [UInt8]) throws(APIFormatError) {
        let members = try MemberReader(bytes)
        self.init(
            code: Int(try required("code") { name throws(APIFormatError) in try members.integer(name, in: 100...999) }),
            error: try required("error", members.string),
            message: try required("message", members.string))
    }

    package func json() -> [UInt8] {
        JSONObject([("code", .integer(Int64(code))), ("error", .string(error)), ("message", .string(message))]).wireBytes
    }
}
