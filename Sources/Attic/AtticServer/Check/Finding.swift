import Database
import Encoding

/// One thing that a check found: what is wrong, where, whose it is, and what puts it right.
package struct Finding: Sendable, Hashable {
    /// The kinds, as `--json` names them.
    package enum Kind: String, Sendable, CaseIterable {
        /// The database's own file.
        case databaseFile = "database-file"
        /// Rows that name what is not there.
        case danglingRows = "dangling-rows"
        case packMissing = "pack-missing"
        case packShort = "pack-short"
        /// A file that is longer than what was committed into it.
        case packTail = "pack-tail"
        /// A pack whose row says less than its chunks.
        case packRow = "pack-row"
        case chunkPlace = "chunk-place"
        case extentsOverlap = "extents-overlap"
        case chunkInDeadExtent = "chunk-in-dead-extent"
        case narReferences = "nar-references"
        case narSizes = "nar-sizes"
        /// A NAR that needs a damaged chunk and is not marked.
        case narUnmarked = "nar-unmarked"
        /// A NAR that is known to be damaged.
        case narDamaged = "nar-damaged"
        case chunkContent = "chunk-content"
        case narContent = "nar-content"
        case fileHash = "file-hash"
        case listing
        case buildLog = "build-log"
        case object
        case objectReferences = "object-references"
        /// What nothing needs and no collection would find.
        case unreachable
        case expiredLease = "expired-lease"
        /// A pack's file that no row names.
        case unnamedFile = "unnamed-file"
        case temporaryFile = "temporary-file"
    }

    /// What became of it.
    package enum State: String, Sendable {
        /// Found, and left as it is.
        case found
        case repaired
        /// What repair can do is done; the rest is for the operator.
        case remains
        /// Repair was tried, and did not work.
        case failed
    }

    package let kind: Kind
    /// What is wrong, on what: a sentence without its full stop.
    package let sentence: String
    package let claims: Claims
    /// What repair does about it, as a verb phrase: `mark them as damaged`.
    package let remedy: String
    package var state = State.found
    /// After a repair: what it came to, where that is not what `remedy` says.
    package var outcome: String?

    package init(_ kind: Kind, _ sentence: String, claims: Claims = .none, remedy: String) {
        self.kind = kind
        self.sentence = sentence
        self.claims = claims
        self.remedy = remedy
    }

    /// Store paths that are kept, which `--json` shows, and that a line names. After a repair there is a line for each NAR.
    package static let claimsMax = 20
    private static let lineClaimsMax = 5

    /// One line for people.
    ///
    /// - Parameter isRehearsal: whether what a repair would do is asked for.
    package func line(isRehearsal: Bool) -> String {
        var text = sentence
        if !claims.isEmpty {
            text += "; needed by " + claims.shown.prefix(Finding.lineClaimsMax).map { "\($0.storePath) in \($0.cache)" }.joined(separator: ", ")
            if claims.hasMore || claims.shown.count > Finding.lineClaimsMax { text += " and more" }
        }
        return switch state {
        case .found: isRehearsal ? "\(text): would \(remedy)" : "\(text); \"atticadm fsck --repair\" is to \(remedy)"
        case .repaired: "\(text): repaired: \(outcome ?? remedy)"
        case .remains: "\(text): \(outcome ?? remedy)"
        case .failed: "\(text): not repaired: \(outcome ?? "it could not be")"
        }
    }

    var json: JSON {
        let paths = claims.shown.map { claim in
            JSON.object(["cache": .string(claim.cache), "path": .string(claim.storePath)])
        }
        return .object([
            "kind": .string(kind.rawValue), "what": .string(sentence), "paths": .array(paths),
            "more_paths": .bool(claims.hasMore), "remedy": .string(remedy), "state": .string(state.rawValue),
            "outcome": outcome.map { .string($0) } ?? .null,
        ])
    }
}
