import AtticAPI
import HTTPServer

/// `PUT /{cache}/nix-cache-info`: what plain Nix sends where it was not allowed to read it, or found no cache (up to 2.25 it
/// takes 401 for "there is none"). Refused always, before its body, and with the reason why it came to that.
enum PutCacheInfo {
    static func respond(_ call: Call, _ name: CacheName) throws -> Response {
        _ = try call.enter(name, needing: .push)
        throw Problem.refused(
            "nix-cache-info is made from the cache's configuration and cannot be put. Nix puts it where it may not read it: give it a token that may pull.")
    }
}
