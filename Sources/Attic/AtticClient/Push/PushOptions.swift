/// What a person can say about how paths are pushed.
package struct PushOptions: Hashable, Sendable {
    /// Uploads at once.
    package var jobs = 5
    /// What the paths need is sent too.
    package var includesClosure = true
    /// What an upstream cache has is left out.
    package var skipsUpstream = true
    package var forcesPreamble = false
    /// Build logs of what is pushed are sent too, to servers that take them.
    package var sendsLogs = true
    /// Which store the paths are in, as Nix's option of that name says it; nil for the one that Nix would use.
    package var store: String?

    /// The most uploads at once: more would only wait for one another.
    package static let jobsMax = 64

    package init() {}
}
