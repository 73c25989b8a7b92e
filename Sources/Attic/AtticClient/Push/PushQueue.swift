import Nix
import NixStore

/// Which paths may be sent next. A path is ready when everything that it refers to, inside this push, is done: an object
/// never appears in the cache before those that it needs. Pure: several threads share it behind a monitor.
///
/// Small paths may share a request, in which case what a path needs may also stand before it in the same one: a request is
/// taken whole or not at all.
package struct PushQueue: Sendable {
    /// What one request may carry.
    package struct Sharing: Hashable, Sendable {
        /// Paths in one request.
        package let pathsMax: Int
        /// Bytes of all their NARs.
        package let narBytesMax: Int64
        /// The size of a NAR in bytes up to which its path shares a request: beyond, it is worth one of its own.
        package let smallBytesMax: Int64
        /// References up to which a path does: they are most of its description.
        package let referencesMax: Int
        /// Bytes of all descriptions in one request.
        package let infoBytesMax: Int64

        package init(pathsMax: Int, narBytesMax: Int64, smallBytesMax: Int64 = 256 << 10, referencesMax: Int = 200,
            infoBytesMax: Int64 = 1 << 20
        ) {
            self.pathsMax = pathsMax
            self.narBytesMax = narBytesMax
            self.smallBytesMax = smallBytesMax
            self.referencesMax = referencesMax
            self.infoBytesMax = infoBytesMax
        }
    }

    private enum State: Sendable { case waiting, running, done, failed }

    /// Paths that are ready, in order. What was taken stays in front of `head`.
    private struct Ready: Sendable {
        private var items: [Int] = []
        private var head = 0

        var count: Int { items.count - head }
        mutating func put(_ index: Int) { items.append(index) }
        mutating func take() -> Int? {
            guard head < items.count else { return nil }
            defer { head += 1 }
            return items[head]
        }
    }

    /// In the order in which they were given: dependencies first.
    package let paths: [PathInfo]
    private let sharing: Sharing?
    private let jobs: Int
    private var states: [State]
    /// Whether each path may share a request.
    private var isSmall: [Bool]
    /// How many references of each path are not done yet.
    private var openCounts: [Int]
    /// The paths that refer to each path.
    private var dependents: [[Int]]
    private var readySmall = Ready()
    private var readyAlone = Ready()
    private var runningCount = 0

    /// Small paths that one request takes at least, if they are there: below, what a request costs is worth more than
    /// another job.
    private static let shareMin = 64

    /// - Parameters:
    ///   - sharing: nil where each path goes alone.
    ///   - jobs: how many take from the queue; those that are ready are shared out among them.
    package init(_ paths: [PathInfo], sharing: Sharing? = nil, jobs: Int = 1) {
        self.paths = paths
        self.sharing = sharing
        self.jobs = jobs
        states = Array(repeating: .waiting, count: paths.count)
        isSmall = paths.map { info in
            guard let sharing else { return false }
            return info.narSize <= min(sharing.smallBytesMax, sharing.narBytesMax)
                && info.references.count <= sharing.referencesMax
        }
        openCounts = Array(repeating: 0, count: paths.count)
        dependents = Array(repeating: [], count: paths.count)
        var places: [StorePath: Int] = [:]
        for (index, info) in paths.enumerated() { places[info.path] = index }
        for (index, info) in paths.enumerated() {
            // Set: a reference that is listed twice is waited for once.
            for reference in Set(info.references) {
                guard let place = places[reference], place != index else { continue }
                openCounts[index] += 1
                dependents[place].append(index)
            }
        }
        for index in paths.indices where openCounts[index] == 0 { makeReady(index) }
    }

    /// The next paths to send, as indices into `paths`: those of one request, what they need before them. Empty where none is
    /// ready. They end together, by `finish`, `fail` or `separate`.
    package mutating func takeReady() -> [Int] {
        // Small ones first: they are soon done, and much may wait for them.
        guard let sharing, readySmall.count > 0 else {
            guard let index = readyAlone.take() else { return [] }
            begin(index)
            return [index]
        }
        var request: [Int] = []
        var (narBytes, infoBytes) = (Int64(0), Int64(0))
        // Those that had no room: they are ready as before.
        var left: [Int] = []
        func fits(_ index: Int) -> Bool {
            request.count < sharing.pathsMax && narBytes + paths[index].narSize <= sharing.narBytesMax
                && infoBytes + Self.infoBytes(paths[index]) <= sharing.infoBytesMax
        }
        func add(_ index: Int) {
            begin(index)
            request.append(index)
            narBytes += paths[index].narSize
            infoBytes += Self.infoBytes(paths[index])
        }
        let share = max(readySmall.count / jobs, Self.shareMin)
        while request.count < share, let index = readySmall.take() {
            if fits(index) { add(index) } else { left.append(index) }
            if left.count > 16 { break }
        }
        for index in left { readySmall.put(index) }
        // What needs nothing but these and what is done. Each stands behind what it needs.
        var coveredCounts: [Int: Int] = [:]
        var next = 0
        while next < request.count {
            for dependent in dependents[request[next]] where isSmall[dependent] && states[dependent] == .waiting {
                coveredCounts[dependent, default: 0] += 1
                if coveredCounts[dependent] == openCounts[dependent], fits(dependent) { add(dependent) }
            }
            next += 1
        }
        return request
    }

    /// What a path's description takes at most, in bytes: names have 211 characters at most, as a rule a quarter of that.
    private static func infoBytes(_ info: PathInfo) -> Int64 {
        let names = info.references.reduce(0) { $0 + $1.baseName.utf8.count + 3 }
        let signatures = info.signatures.reduce(0) { $0 + $1.utf8.count + 3 }
        return Int64(names + signatures + 1024)
    }

    /// Paths have been sent; those that waited for them alone become ready.
    package mutating func finish(_ request: [Int]) {
        for index in request { end(index, as: .done) }
        for index in request {
            for dependent in dependents[index] {
                openCounts[dependent] -= 1
                if openCounts[dependent] == 0, states[dependent] == .waiting { makeReady(dependent) }
            }
        }
    }

    /// Paths could not be sent.
    ///
    /// - Returns: those of them that needed none of the others, each with all that refer to it, directly or not: they are not
    ///   going to be sent either. Each path is told once.
    package mutating func fail(_ request: [Int]) -> [(failed: Int, dropped: [Int])] {
        for index in request { end(index, as: .waiting) }
        var failures: [(failed: Int, dropped: [Int])] = []
        // What needs a path stands behind it, and is dropped with it.
        for index in request where states[index] == .waiting {
            states[index] = .failed
            failures.append((index, dropDependents(of: index)))
        }
        return failures
    }

    /// Paths are to be sent again, each alone.
    package mutating func separate(_ request: [Int]) {
        for index in request {
            end(index, as: .waiting)
            isSmall[index] = false
        }
        for index in request where openCounts[index] == 0 { makeReady(index) }
    }

    /// Nothing runs and nothing is ready: no more will come.
    package var isExhausted: Bool { runningCount == 0 && readySmall.count == 0 && readyAlone.count == 0 }

    /// What was neither sent nor given up when all came to rest: paths that refer to one another in a circle.
    package var stranded: [Int] { states.indices.filter { states[$0] == .waiting } }

    private mutating func makeReady(_ index: Int) {
        if isSmall[index] { readySmall.put(index) } else { readyAlone.put(index) }
    }

    private mutating func begin(_ index: Int) {
        precondition(states[index] == .waiting, "a path is taken once")
        states[index] = .running
        runningCount += 1
    }

    private mutating func end(_ index: Int, as state: State) {
        precondition(states[index] == .running, "a path ends once, after it was taken")
        states[index] = state
        runningCount -= 1
    }

    private mutating func dropDependents(of index: Int) -> [Int] {
        var dropped: [Int] = []
        var stack = [index]
        while let failed = stack.popLast() {
            for dependent in dependents[failed] where states[dependent] == .waiting {
                states[dependent] = .failed
                dropped.append(dependent)
                stack.append(dependent)
            }
        }
        return dropped.sorted()
    }
}
