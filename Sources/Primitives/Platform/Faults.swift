import Glibc

/// A place where a test can make something go wrong: a system call of the wrappers in this folder, or a step that its owner
/// names in an extension.
package struct FaultSite: Hashable, Sendable {
    /// Lowercase words, joined by hyphens.
    package let name: String

    package init(_ name: StaticString) { self.name = "\(name)" }

    package static let open = FaultSite("open")
    /// At an offset.
    package static let read = FaultSite("read")
    /// From a file to a socket.
    package static let sendFile = FaultSite("send-file")
    package static let write = FaultSite("write")
    package static let sync = FaultSite("sync")
    package static let truncate = FaultSite("truncate")
    package static let punch = FaultSite("punch")
    package static let reserve = FaultSite("reserve")
    package static let rename = FaultSite("rename")
    package static let remove = FaultSite("remove")
}

/// What decides at each arrival at a site what goes wrong there.
package protocol FaultSource: Sendable {
    /// Returns how many of the bytes a write is to take: all, or less.
    ///
    /// - Parameters:
    ///   - descriptor: the open file that is about to be changed; nil where there is none.
    ///   - byteCount: of a write its bytes, of a truncation what is left; else 1.
    /// - Throws: what the call fails with.
    func limit(_ site: FaultSite, _ descriptor: Int32?, _ byteCount: Int64) throws(Errno) -> Int64
}

/// Faults that are put in on purpose: errors of the kernel, short writes, the end of the process. Only builds for debugging
/// look for them, in the environment variable TETRYX_FAULTS (`FaultPlan` has its grammar); in a release build every call here
/// is nothing.
package enum Faults {
    package static let variable = "TETRYX_FAULTS"

    #if DEBUG
    private static let plan: FaultPlan? = {
        guard let value = unsafe getenv(variable) else { return nil }
        let text = unsafe String(cString: value)
        guard let plan = FaultPlan(text) else { preconditionFailure("\(variable) is malformed: \(text)") }
        return plan
    }()

    /// What this very process put in, beside the plan.
    private static let inserted = Monitor<(any FaultSource)?>(nil)

    /// Has every site of this process ask a source, until nil is inserted; for a process that tests nothing else.
    package static func insert(_ source: (any FaultSource)?) { inserted.update { $0 = source } }

    /// Fails, or ends the process, where the plan says so.
    package static func check(_ site: FaultSite, _ descriptor: Int32? = nil, byteCount: Int64 = 1) throws(Errno) {
        try plan?.reach(site)
        _ = try inserted.withLock { $0 }?.limit(site, descriptor, byteCount)
    }

    /// As `check`, for a step that cannot fail by itself: only the end of the process can be put there.
    package static func pass(_ site: FaultSite) { try? check(site) }

    /// How many of the bytes a write is to take: all, or less where the plan says so.
    package static func limit(_ site: FaultSite, _ descriptor: Int32? = nil, _ byteCount: Int) throws(Errno) -> Int {
        let planned = try plan?.limit(site, byteCount) ?? byteCount
        guard let source = inserted.withLock({ $0 }) else { return planned }
        return Int(try source.limit(site, descriptor, Int64(planned)))
    }
    #else
    @inline(__always) package static func check(_ site: FaultSite, _ descriptor: Int32? = nil, byteCount: Int64 = 1) throws(Errno) {}
    @inline(__always) package static func pass(_ site: FaultSite) {}
    @inline(__always) package static func limit(_ site: FaultSite, _ descriptor: Int32? = nil, _ byteCount: Int) throws(Errno) -> Int { byteCount }
    #endif
}
