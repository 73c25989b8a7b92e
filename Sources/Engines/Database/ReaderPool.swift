import Platform
import SQL

/// Connections that only read, and who waits for one.
///
/// Each reads in a transaction of its own, so a body sees one state of the database however many statements it runs
/// (a writer does not wait for it, nor it for a writer).
final class ReaderPool: Sendable {
    private let connections: [Monitor<any ReadingConnection>]
    /// Which of them are free; nil once closed.
    private let free: Monitor<[Int]?>
    private let dialect: Dialect
    private let patience: Duration?

    /// - Parameter patience: how long to wait for one to be free; nil: for as long as it takes.
    init(_ connections: [Monitor<any ReadingConnection>], _ dialect: Dialect, patience: Duration?) {
        self.connections = connections
        self.dialect = dialect
        self.patience = patience
        free = Monitor(Array(connections.indices))
    }

    /// Lends a connection to `body`, inside a transaction; waits for one to be free.
    func read<Result: Sendable>(
        _ body: (CatalogSession) throws(DatabaseError) -> Result
    ) throws(DatabaseError) -> Result {
        let dialect = self.dialect
        return try lend { reading throws(DatabaseError) in
            do throws(SQLError) { try reading.begin() } catch { throw DatabaseError("begin to read", error) }
            defer { reading.end() }
            return try body(CatalogSession(reading.connection, dialect))
        }
    }

    private func lend<Result: Sendable>(
        _ body: (any ReadingConnection) throws(DatabaseError) -> Result
    ) throws(DatabaseError) -> Result {
        // -1: closed.
        let taken: Int
        if let patience {
            // The one that was given back longest ago: the end of its last transaction was answered meanwhile.
            let found = free.wait(until: .now + patience) { free -> Int? in
                guard let places = free else { return -1 }
                return places.isEmpty ? nil : free?.removeFirst()
            }
            guard let found else {
                throw DatabaseError(.busy, "read from the database", "", "all \(connections.count) connections were in use for too long")
            }
            taken = found
        } else {
            taken = free.wait { free -> Int? in free == nil ? -1 : free?.popLast() }
        }
        if taken < 0 { throw DatabaseError(.closed, "read from the database", "", "the catalog was closed") }
        defer { free.update { $0?.append(taken) } }
        return try connections[taken].peek { reading throws(DatabaseError) in try body(reading) }
    }

    /// Uses each connection that nobody else does.
    func touch() {
        for index in connections.indices {
            let isTaken = free.peek { free -> Bool in
                guard let place = free?.firstIndex(of: index) else { return false }
                free?.remove(at: place)
                return true
            }
            guard isTaken else { continue }
            connections[index].peek { $0.touch() }
            free.update { $0?.append(index) }
        }
    }

    /// Waits until nobody reads, then refuses everyone.
    func close() {
        let count = connections.count
        free.wait { free -> Void? in
            guard let now = free else { return () }
            if now.count < count { return nil }
            free = nil
            return ()
        }
    }
}
