import Platform
import SQL

/// Connections that only read, and who waits for one.
///
/// Each reads in a transaction of its own, so a body sees one state of the database however many statements it runs
/// (a writer does not wait for it, nor it for a writer). The first is opened at once. Of a server's the others follow when somebody
/// finds none free, one after another, and stay open. Where one is lost and the server refuses another, its place is opened again later, and
/// the others serve meanwhile. Those of a file are opened at once, as they cost next to nothing, and must not be missing
/// when descriptors are.
final class ReaderPool: Sendable {
    private struct State {
        /// Places whose connection is open, and which nobody uses. Who takes the first has the one that was given back longest ago: the
        /// end of its last transaction was answered meanwhile.
        var free: [Int]
        /// Places that have no connection yet.
        var unopened: [Int]
        /// A connection is being opened.
        var isOpening = false
        /// When one may be opened, after one that could not be; and why that was.
        var opensFrom = MonotonicTime.now
        var refusal: SQLError?
        var isClosed = false
    }

    /// What waiting for a place came to.
    private enum Offer {
        case open(Int), unopened(Int), closed
        /// No connection is open, and the last try to open one came to this.
        case away(SQLError)
        /// When a connection may be opened is another time than the one that was waited for.
        case later(MonotonicTime)
    }

    /// How long nobody tries to open another connection when that has failed: a server that has enough of them is not asked by each who
    /// waits.
    private static let openingPause = Duration.seconds(1)

    private let places: [Monitor<(any ReadingConnection)?>]
    private let state: Monitor<State>
    private let location: DatabaseLocation
    private let options: Catalog.Options
    private let absence: Absence

    /// - Parameter countMax: how many connections there are at most.
    /// - Throws: where the first cannot be opened.
    init(_ location: DatabaseLocation, countMax: Int, _ options: Catalog.Options) throws(SQLError) {
        self.location = location
        self.options = options
        absence = Absence(patience: options.readerReconnectTime)
        let openedCount = location.path == nil ? 1 : countMax
        var places: [Monitor<(any ReadingConnection)?>] = []
        for place in 0..<countMax {
            places.append(place < openedCount ? Monitor(try ReaderPool.open(location, options, absence)) : Monitor(nil))
        }
        self.places = places
        state = Monitor(State(free: Array(0..<openedCount), unopened: Array(openedCount..<countMax)))
    }

    private static func open(
        _ location: DatabaseLocation, _ options: Catalog.Options, _ absence: Absence
    ) throws(SQLError) -> sending any ReadingConnection {
        switch location {
        case .sqlite(let path): try SQLiteReading(path: path, options: options)
        case .postgres(let server): try PostgresReading(server, absence)
        }
    }

    /// How many connections there are.
    var openCount: Int { places.count - state.withLock { $0.unopened.count } }

    /// Lends a connection to `body`, inside a transaction; waits for one to be free.
    func read<Result: Sendable>(
        _ body: (CatalogSession) throws(DatabaseError) -> Result
    ) throws(DatabaseError) -> Result {
        // A file's are given back by a thread of this process, whatever happens; a server may be waited for.
        let deadline: MonotonicTime? = location.path == nil ? .now + options.readerPatience : nil
        while true {
            if let result = try read(at: take(until: deadline), body) { return result }
        }
    }

    /// Lends the connection of a place that was taken, and gives the place back; nil where it was lost before anything was read, and the
    /// server has no other to give.
    private func read<Result: Sendable>(
        at place: Int, _ body: (CatalogSession) throws(DatabaseError) -> Result
    ) throws(DatabaseError) -> Result? {
        let dialect = location.dialect
        var refusal: SQLError?
        defer { giveBack(place, refusal) }
        return try places[place].withLock { held throws(DatabaseError) in
            guard let reading = held else { preconditionFailure("a connection that is lent is open") }
            // What is left of it holds nothing, neither here nor there.
            defer { if refusal != nil { held = nil } }
            do throws(SQLError) { try reading.begin() } catch {
                refusal = reading.refusal
                if refusal != nil { return nil }
                throw DatabaseError("begin to read", error)
            }
            defer {
                reading.end()
                refusal = reading.refusal
            }
            return try body(CatalogSession(reading.connection, dialect))
        }
    }

    /// - Parameter refusal: why the place has no connection any more.
    private func giveBack(_ place: Int, _ refusal: SQLError?) {
        state.update { state in
            guard let refusal else { return state.free.append(place) }
            state.unopened.append(place)
            state.refusal = refusal
            state.opensFrom = .now + ReaderPool.openingPause
        }
    }

    /// A place with a connection, for its taker alone.
    private func take(until deadline: MonotonicTime?) throws(DatabaseError) -> Int {
        var end = deadline
        while true {
            switch waitForOffer(until: end, deadline) {
            case .open(let place): return place
            case .unopened(let place): if openNow(place) { return place }
            case .later(let moment): end = moment
            case .away(let failure): throw DatabaseError("begin to read", failure)
            case .closed: throw DatabaseError(.closed, "read from the database", "", "the catalog was closed")
            case nil where end != deadline: end = deadline
            case nil:
                let refusal = state.withLock { $0.refusal.map { ", and another could not be opened: \($0.message)" } ?? "" }
                throw DatabaseError(
                    .busy, "read from the database", location.name,
                    "all \(openCount) connections were in use for \(options.readerPatience.components.seconds) seconds\(refusal)")
            }
        }
    }

    /// - Parameters:
    ///   - end: until when it waits; nil is for ever.
    ///   - deadline: the latest `end`.
    /// - Returns: nil where nothing came until `end`.
    private func waitForOffer(until end: MonotonicTime?, _ deadline: MonotonicTime?) -> Offer? {
        func offer(_ state: inout State) -> Offer? {
            if state.isClosed { return .closed }
            if !state.free.isEmpty { return .open(state.free.removeFirst()) }
            guard !state.isOpening, let place = state.unopened.first else { return nil }
            if MonotonicTime.now >= state.opensFrom {
                state.unopened.removeFirst()
                state.isOpening = true
                return .unopened(place)
            }
            // One that has none left to give is there, and may have one soon.
            if state.unopened.count == places.count, let refusal = state.refusal, !refusal.isForWantOfConnections { return .away(refusal) }
            // Nobody need give anything back until then.
            guard let deadline else { return nil }
            let next = min(state.opensFrom, deadline)
            return next == end ? nil : .later(next)
        }
        guard let end else { return state.wait { offer(&$0) } }
        return state.wait(until: end) { offer(&$0) }
    }

    /// Opens the connection of a place, or has it wait for another day: there are others, one of which will be free.
    private func openNow(_ place: Int) -> Bool {
        do throws(SQLError) {
            try places[place].withLock { reading throws(SQLError) in reading = try ReaderPool.open(location, options, absence) }
            state.update { state in
                state.isOpening = false
                state.refusal = nil
            }
            return true
        } catch {
            state.update { state in
                state.isOpening = false
                state.unopened.insert(place, at: 0)
                state.refusal = error
                state.opensFrom = .now + ReaderPool.openingPause
            }
            return false
        }
    }

    /// Uses each connection that nobody else does.
    func touch() {
        for index in places.indices {
            let isTaken = state.withLock { state -> Bool in
                guard let place = state.free.firstIndex(of: index) else { return false }
                state.free.remove(at: place)
                return true
            }
            guard isTaken else { continue }
            places[index].withLock { $0?.touch() }
            state.update { $0.free.append(index) }
        }
    }

    /// Waits until nobody reads, then refuses everyone, and ends the connections.
    func close() {
        let count = places.count
        state.wait { state -> Void? in
            if state.isClosed { return () }
            if state.free.count + state.unopened.count < count { return nil }
            state.isClosed = true
            return ()
        }
        for place in places { place.withLock { $0 = nil } }
    }
}
