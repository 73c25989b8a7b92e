import Nix
import NixStore

/// Which path may be sent next. A path is ready when everything that it refers to, inside this push, is done: an object
/// never appears in the cache before those that it needs. Pure: several threads share it behind a monitor.
package struct PushQueue: Sendable {
    private enum State: Sendable { case waiting, running, done, failed }

    /// In the order in which they were given: dependencies first.
    package let paths: [PathInfo]
    private var states: [State]
    /// How many references of each path are not done yet.
    private var openCounts: [Int]
    /// The paths that refer to each path.
    private var dependents: [[Int]]
    /// Ready ones, the next at `readyHead`.
    private var ready: [Int] = []
    private var readyHead = 0
    private var runningCount = 0

    package init(_ paths: [PathInfo]) {
        self.paths = paths
        states = Array(repeating: .waiting, count: paths.count)
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
        ready = paths.indices.filter { openCounts[$0] == 0 }
    }

    /// The next path to send, as an index into `paths`; nil where none is ready.
    package mutating func takeReady() -> Int? {
        guard readyHead < ready.count else { return nil }
        let index = ready[readyHead]
        readyHead += 1
        states[index] = .running
        runningCount += 1
        return index
    }

    /// A path has been sent; those that waited for it alone become ready.
    package mutating func finish(_ index: Int) {
        end(index, as: .done)
        for dependent in dependents[index] {
            openCounts[dependent] -= 1
            if openCounts[dependent] == 0, states[dependent] == .waiting { ready.append(dependent) }
        }
    }

    /// A path could not be sent.
    ///
    /// - Returns: all that refer to it, directly or not: they are not going to be sent either. Each is told once.
    package mutating func fail(_ index: Int) -> [Int] {
        end(index, as: .failed)
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

    /// Nothing runs and nothing is ready: no more will come.
    package var isExhausted: Bool { runningCount == 0 && readyHead == ready.count }

    /// What was neither sent nor given up when all came to rest: paths that refer to one another in a circle.
    package var stranded: [Int] { states.indices.filter { states[$0] == .waiting } }

    private mutating func end(_ index: Int, as state: State) {
        precondition(states[index] == .running, "a path ends once, after it was taken")
        states[index] = state
        runningCount -= 1
    }
}
