import CSQLite

/// One compiled statement, and the row it stands on. Thread: its connection's.
@safe final class SQLiteStatement: SQLRowSource {
    let sql: String
    let parameterCount: Int
    let columnCount: Int
    /// Set from the first step to the reset: a statement runs once at a time.
    var isRunning = false
    private let handle: OpaquePointer

    init(preparing sql: String, isKept: Bool, on connection: SQLiteConnection) throws(SQLError) {
        self.sql = sql
        unsafe handle = try connection.compile(sql, isKept: isKept)
        parameterCount = Int(unsafe sqlite3_bind_parameter_count(handle))
        columnCount = Int(unsafe sqlite3_column_count(handle))
        assert(namesParametersInOrder, "parameters must first appear as $1, $2, …: \(sql)")
    }

    deinit { unsafe sqlite3_finalize(handle) }

    func step() -> Int32 { unsafe sqlite3_step(handle) }

    /// Ready to run again. Its code repeats the last step's, which was reported then.
    func reset() {
        unsafe sqlite3_reset(handle)
        // Large values (lists of hashes) would else stay until the next run.
        unsafe sqlite3_clear_bindings(handle)
    }

    func bind(_ value: SQLValue, at index: Int32) -> Int32 {
        switch value {
        case .null:
            return unsafe sqlite3_bind_null(handle, index)
        case .integer(let number):
            return unsafe sqlite3_bind_int64(handle, index, number)
        case .real(let number):
            return unsafe sqlite3_bind_double(handle, index, number)
        case .text(var text):
            // A null pointer binds NULL, and an empty buffer may have one.
            if text.isEmpty { return unsafe csqlite_bind_text_transient(handle, index, "", 0) }
            return text.withUTF8 { bytes in
                unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
                    unsafe csqlite_bind_text_transient(handle, index, characters.baseAddress, Int32(characters.count))
                }
            }
        case .blob(let bytes):
            if bytes.isEmpty { return unsafe sqlite3_bind_zeroblob(handle, index, 0) }
            return unsafe bytes.withUnsafeBytes { buffer in
                unsafe csqlite_bind_blob_transient(handle, index, buffer.baseAddress, Int32(buffer.count))
            }
        }
    }

    // MARK: The row

    func kind(of column: Int) -> SQLRow.Kind {
        switch unsafe sqlite3_column_type(handle, checked(column)) {
        case SQLITE_INTEGER: .integer
        case SQLITE_FLOAT: .real
        case SQLITE_TEXT: .text
        case SQLITE_BLOB: .blob
        default: .null
        }
    }

    func integer(_ column: Int) -> Int64 { unsafe sqlite3_column_int64(handle, checked(column)) }

    func real(_ column: Int) -> Double { unsafe sqlite3_column_double(handle, checked(column)) }

    func text(_ column: Int) -> String {
        // sqlite3.h: "The safest policy is to invoke sqlite3_column_text() followed by sqlite3_column_bytes()".
        guard let characters = unsafe sqlite3_column_text(handle, checked(column)) else { return "" }
        let count = Int(unsafe sqlite3_column_bytes(handle, checked(column)))
        return unsafe String(decoding: UnsafeBufferPointer(start: characters, count: count), as: UTF8.self)
    }

    func blob(_ column: Int) -> [UInt8] {
        // "The return value from sqlite3_column_blob() for a zero-length BLOB is a NULL pointer."
        guard let bytes = unsafe sqlite3_column_blob(handle, checked(column)) else { return [] }
        let count = Int(unsafe sqlite3_column_bytes(handle, checked(column)))
        return unsafe [UInt8](UnsafeRawBufferPointer(start: bytes, count: count))
    }

    private func checked(_ column: Int) -> Int32 {
        precondition(column >= 0 && column < columnCount, "there is no column \(column) in: \(sql)")
        return Int32(column)
    }

    /// Whether every parameter's number is its place in the order of first appearance, so that both databases agree.
    private var namesParametersInOrder: Bool {
        for index in 0..<parameterCount {
            guard let name = unsafe sqlite3_bind_parameter_name(handle, Int32(index + 1)) else { return false }
            if unsafe String(cString: name) != "$\(index + 1)" { return false }
        }
        return true
    }
}
