import AtticAPI
import Database
import HTTP
import HTTPServer
import Nix

/// `GET /{cache}/realisations/{id}.doi` and `GET /{cache}/build-trace-v2/{derivation}/{output}.doi`: what the output of a
/// content-addressed derivation came to be, signed with the cache's key as narinfos are. Clients check it by the same rules.
enum GetRealisation {
    static func respond(_ call: Call, _ name: CacheName, _ id: RealisationID) throws -> Response {
        let cache = try call.enter(name, needing: .pull)
        let found = try call.context.catalog.read { session throws(DatabaseError) in
            try session.findRealisation(cache.id, id)
        }
        guard let found else { throw Problem.noSuchObject }
        let signed = found.signed(by: try call.context.keys.key(cache.keypair))
        return TextAnswer(signed.json(), contentType: Endpoint.jsonType, of: cache).codedResponse(to: call.request.head)
    }
}
