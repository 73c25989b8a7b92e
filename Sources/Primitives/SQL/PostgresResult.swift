import CPostgres

/// What the server answered to one statement, whole. Thread: its connection's.
///
/// Formats and numbers of types: PostgreSQL's `src/include/catalog/pg_type.dat`, and `*send` functions under `src/backend/utils/adt`.
@safe final class PostgresResult: SQLRowSource {
    let sql: String
    private let handle: OpaquePointer?
    private var rowNumber: Int32 = 0

    init(of sql: String, _ handle: OpaquePointer?) {
        self.sql = sql
        unsafe self.handle = handle
    }

    deinit { unsafe PQclear(handle) }

    /// libpq had nothing to give: the connection is lost, or memory is.
    var isAbsent: Bool { unsafe handle == nil }

    var status: ExecStatusType { unsafe PQresultStatus(handle) }

    /// The five characters of SQLSTATE; empty where libpq itself failed.
    var code: String { field(cpostgres_diag_sqlstate) ?? "" }

    /// The server's words, and what it says beside them; never the statement's values.
    var message: String {
        guard let primary = field(cpostgres_diag_message_primary) else {
            return unsafe PostgresConnection.oneLine(PQresultErrorMessage(handle))
        }
        return primary + (field(cpostgres_diag_message_hint).map { " (\($0))" } ?? "")
    }

    /// What was done, as the server calls it: `INSERT 0 1`, `COMMIT`.
    var commandTag: String { unsafe PQcmdStatus(handle).map { unsafe String(cString: $0) } ?? "" }

    /// Rows that the statement inserted, changed or deleted.
    var changedCount: Int {
        guard let text = unsafe PQcmdTuples(handle) else { return 0 }
        return Int(unsafe String(cString: text)) ?? 0
    }

    // Swift 6.3.1 crashes where it inlines this into its callers with optimization: "cannot initialize a nonCopyable type with a
    // guaranteed value".
    @inline(never)
    func forEachRow(_ row: (borrowing SQLRow) throws(SQLError) -> Void) throws(SQLError) {
        for number in 0..<(unsafe PQntuples(handle)) {
            rowNumber = number
            try row(SQLRow(self))
        }
    }

    private func field(_ name: Int32) -> String? {
        guard let text = unsafe PQresultErrorField(handle, name) else { return nil }
        return unsafe String(cString: text)
    }

    // MARK: The row

    var columnCount: Int { Int(unsafe PQnfields(handle)) }

    /// Types of columns by their numbers.
    private enum Kind {
        static let bool: Oid = 16, bytea: Oid = 17, int8: Oid = 20, int2: Oid = 21, int4: Oid = 23, oid: Oid = 26, xid8: Oid = 5069
        static let float4: Oid = 700, float8: Oid = 701
    }

    func kind(of column: Int) -> SQLRow.Kind {
        if unsafe PQgetisnull(handle, rowNumber, checked(column)) == 1 { return .null }
        return switch unsafe PQftype(handle, checked(column)) {
        case Kind.bool, Kind.int2, Kind.int4, Kind.int8, Kind.oid, Kind.xid8: .integer
        case Kind.float4, Kind.float8: .real
        case Kind.bytea: .blob
        default: .text
        }
    }

    /// Big-endian, in as many bytes as its type has.
    func integer(_ column: Int) -> Int64 {
        let bytes = unsafe self.bytes(column)
        guard let first = unsafe bytes.first else { return 0 }
        // A bool is one byte, and not negative.
        let isNegative = bytes.count > 1 && first & 0x80 != 0
        return unsafe bytes.reduce(isNegative ? -1 : 0) { $0 << 8 | Int64($1) }
    }

    func real(_ column: Int) -> Double {
        let bytes = unsafe self.bytes(column)
        let bits = unsafe bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return bytes.count == 4 ? Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))) : Double(bitPattern: bits)
    }

    func text(_ column: Int) -> String { unsafe String(decoding: bytes(column), as: UTF8.self) }

    func blob(_ column: Int) -> [UInt8] { unsafe [UInt8](bytes(column)) }

    /// The column's bytes, until the result is gone.
    private func bytes(_ column: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(
            start: PQgetvalue(handle, rowNumber, checked(column)), count: Int(PQgetlength(handle, rowNumber, checked(column))))
    }

    private func checked(_ column: Int) -> Int32 {
        precondition(column >= 0 && column < columnCount, "there is no column \(column) in: \(sql)")
        return Int32(column)
    }
}
