import AtticAPI
import Database
import HTTP
import HTTPServer
import Nix

/// `PUT /{cache}/log/{derivation}`: takes in a build log, in place of the one that was there.
enum PutBuildLog {
    static func respond(_ call: Call, _ name: CacheName, _ derivation: StorePath) throws -> Response {
        let cache = try call.enter(name, needing: .push)
        let log = try StoredLog(call)
        try call.visitor.requireStanding()
        // Not the time when it began to come: a collection may have passed meanwhile.
        let now = call.context.time.now()
        let isKept = try call.context.catalog.write { session throws(DatabaseError) in
            try session.putBuildLog(cache.id, of: derivation, body: log.body, byteCount: log.byteCount, at: now)
        }
        guard isKept else { throw Problem.noSuchCache }
        return Response(.ok)
    }
}
