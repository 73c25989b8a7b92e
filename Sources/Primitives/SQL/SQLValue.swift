/// A value as a database keeps it; what goes into a parameter and what comes out of a column.
package enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    /// NULL where there is nothing.
    package static func integer(_ value: Int64?) -> SQLValue { value.map { .integer($0) } ?? .null }

    /// NULL where there is nothing.
    package static func text(_ value: String?) -> SQLValue { value.map { .text($0) } ?? .null }

    /// 1 or 0: neither database needs to know of truth.
    package static func bool(_ value: Bool) -> SQLValue { .integer(value ? Int64(1) : 0) }
}

extension SQLValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, ExpressibleByNilLiteral {
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(stringLiteral value: String) { self = .text(value) }
    package init(nilLiteral: ()) { self = .null }
}

/// What holds the columns of the row that a statement stands on. Each kind of database has its own.
///
/// Columns count from 0. Asking for a column as another kind than `kind(of:)` says is a bug of the caller.
package protocol SQLRowSource: AnyObject {
    var columnCount: Int { get }
    /// The statement, for errors.
    var sql: String { get }
    func kind(of column: Int) -> SQLRow.Kind
    func integer(_ column: Int) -> Int64
    func real(_ column: Int) -> Double
    func text(_ column: Int) -> String
    func blob(_ column: Int) -> [UInt8]
}

/// One row, lent for the duration of one call: it cannot be kept.
package struct SQLRow: ~Copyable {
    package enum Kind: Sendable { case null, integer, real, text, blob }
    private let source: any SQLRowSource

    package init(_ source: any SQLRowSource) { self.source = source }

    package var columnCount: Int { source.columnCount }

    package func isNull(_ column: Int) -> Bool { source.kind(of: column) == .null }

    /// The column's integer; throws `.mismatch` where it holds anything else.
    package func integer(_ column: Int) throws(SQLError) -> Int64 {
        try expect(.integer, column)
        return source.integer(column)
    }

    /// The column's number; an integer counts as one.
    package func real(_ column: Int) throws(SQLError) -> Double {
        if source.kind(of: column) == .integer { return Double(source.integer(column)) }
        try expect(.real, column)
        return source.real(column)
    }

    /// The column's text; throws `.mismatch` where it holds anything else.
    package func text(_ column: Int) throws(SQLError) -> String {
        try expect(.text, column)
        return source.text(column)
    }

    /// The column's bytes; throws `.mismatch` where it holds anything else.
    package func blob(_ column: Int) throws(SQLError) -> [UInt8] {
        try expect(.blob, column)
        return source.blob(column)
    }

    /// Whether the column's integer is not 0.
    package func bool(_ column: Int) throws(SQLError) -> Bool { try integer(column) != 0 }

    package func optionalInteger(_ column: Int) throws(SQLError) -> Int64? {
        isNull(column) ? nil : try integer(column)
    }

    package func optionalText(_ column: Int) throws(SQLError) -> String? {
        isNull(column) ? nil : try text(column)
    }

    /// The column, whatever it holds.
    package func value(_ column: Int) -> SQLValue {
        switch source.kind(of: column) {
        case .null: .null
        case .integer: .integer(source.integer(column))
        case .real: .real(source.real(column))
        case .text: .text(source.text(column))
        case .blob: .blob(source.blob(column))
        }
    }

    /// An error that says what is wrong with the value of a column: for those who make values of columns.
    package func mismatch(_ column: Int, _ reason: String) -> SQLError {
        SQLError(
            kind: .mismatch, code: "", operation: "read column \(column) of", subject: source.sql, message: reason)
    }

    private func expect(_ kind: Kind, _ column: Int) throws(SQLError) {
        let found = source.kind(of: column)
        if found != kind { throw mismatch(column, "it holds \(found) where \(kind) is expected") }
    }
}
