import AtticAPI
import Database
import HTTP
import HTTPServer
import Nix

/// `PUT /{cache}/realisations/{id}.doi` and `PUT /{cache}/build-trace-v2/{derivation}/{output}.doi`: takes in what the output of
/// a content-addressed derivation came to be.
///
/// One that is there and says the same is merged with it. One that contradicts it is refused while the cache has the path
/// that it names, as a local store refuses it: who has substituted by it relies on it, and so do realisations that were built
/// with it.
enum PutRealisation {
    static func respond(_ call: Call, _ name: CacheName, _ id: RealisationID) throws -> Response {
        let cache = try call.enter(name, needing: .push)
        let realisation: Realisation
        do { realisation = try Realisation(json: call.decodedBody(byteCountMax: Bounds.realisationBytesMax), of: id) } catch {
            guard let error = error as? NixFormatError else { throw error }
            throw Problem.request("\(error).")
        }
        guard realisation.signatures.count <= Bounds.signaturesMax else {
            throw Problem.request("\"signatures\" has more than \(Bounds.signaturesMax) entries.")
        }
        try call.visitor.requireStanding()
        let now = call.now
        let outcome = try call.context.catalog.write { session throws(DatabaseError) in
            try session.putRealisation(realisation, cache.id, signaturesMax: Bounds.signaturesMax, at: now)
        }
        switch outcome {
        case .stored: return Response(.ok)
        case .noSuchCache: throw Problem.noSuchCache
        case .contradicts(let known):
            // What it is, is for those who may read it.
            let mayRead = call.visitor.permissions(on: name, isPublic: cache.isPublic).contains(.pull)
            throw Problem.request(
                "\(id) is known to be \(mayRead ? "\(known)" : "another path"), which the cache has; \(realisation.outputPath) is not taken in its place. "
                    + "Builds of this derivation differ: substitute the one that is there.")
        }
    }
}
