import AtticAPI
import HTTP
import HTTPServer
import Platform
import Storage

/// The server as the HTTP engine sees it: a request comes in, its route's handler answers, errors become problems.
package final class Application: RequestHandler {
    private let context: Context
    private let packKind: PackKind

    package init(_ context: Context) {
        self.context = context
        packKind = context.store.packKind
    }

    /// Thread: loop. Answers what is kept in memory, to those who may have it; all else goes to a lane. So does everything when it is
    /// some time since anybody saw whether others have changed it.
    package func answerAtOnce(_ head: RequestHead, at now: MonotonicTime = .now) -> Response? {
        // Whoever asks how the server is names a machine and not a cache's host.
        do throws(Problem) { try checkHost(head) } catch { return isHealth(head) ? context.health.response() : error.response }
        // Conditions and ranges are for the handler to answer.
        guard head.method == .get || head.method == .head, head.wantsWhole, context.freshness.ofAnswers(at: now),
            let answer = unsafe head.withPath({ unsafe context.hot.find($0) })
        else { return isHealth(head) ? context.health.response() : nil }
        var response = answer.response
        if !answer.isPublic || answer.objectID != nil && head.hasCredentials {
            guard let known = context.visitors.find(head, context.time.now().seconds) else { return nil }
            let permissions = known.permissions(on: answer.cache)
            if !answer.isPublic {
                guard permissions.contains(.pull) else { return nil }
                response.permit = BothPermits.of(response.permit, known.visitor.standing)
            }
            // As `Call.noteUse` has it, once it is certain that the visitor is told of it.
            if let objectID = answer.objectID, permissions.contains(.push) {
                context.accessTimes.note(objectID, at: context.time.now())
            }
        }
        if let nar = answer.nar {
            // And so is whatever has become of the packs.
            guard nar.assembly.isWhole else { return nil }
            context.accessTimes.note(nar.objectID, at: context.time.now())
        }
        return response
    }

    private func isHealth(_ head: RequestHead) -> Bool {
        guard head.method == .get || head.method == .head else { return false }
        return unsafe head.withPath { path in unsafe path.count == Endpoint.health.utf8.count && path.elementsEqual(Endpoint.health.utf8) }
    }

    /// Thread: loop.
    package func lane(for head: RequestHead) -> Lane {
        (try? Route(head.method, head.target.segments))?.lane(packs: packKind) ?? .query
    }

    /// Thread: pool.
    package func respond(to request: Request) -> Response {
        let response = handle(request)
        if request.head.method != .get && request.head.method != .head { Faults.pass(.changed) }
        return response
    }

    private func handle(_ request: Request) -> Response {
        do {
            let now = context.time.now()
            try context.requireFreshRevocations(for: request.head)
            let visitor = context.visitors.visitor(of: request.head, nowSeconds: now.seconds)
            let call = Call(context: context, request: request, visitor: visitor, now: now)
            var response = try answer(call)
            response.permit = BothPermits.of(response.permit, visitor.standing)
            return response
        } catch {
            return told(Problem(cause: error, of: request, log: context.log, troubles: context.troubles), request.head).response
        }
    }

    /// Thread: reader.
    package func couldNotSend(_ part: FileExtent, for head: RequestHead) {
        guard case .nar(let cache, let name)? = try? Route(head.method, head.target.segments) else { return }
        do { try GetNar.note(unsent: part, of: cache, name, context) } catch {
            context.log.error("what is lost of the NAR \(head.target.path) could not be looked for: \(error)")
        }
    }

    /// Thread: producer.
    package func response(insteadOf error: any Error) -> Response? { Problem(ofBody: error)?.response }

    private func answer(_ call: Call) throws -> Response {
        switch try Route(call.request.head.method, call.request.head.target.segments) {
        case .welcome: return Application.welcome
        case .health: return context.health.response()
        case .cacheInfo(let cache): return try GetCacheInfo.respond(call, cache)
        case .narInfo(let cache, let hash): return try GetNarInfo.respond(call, cache, hash)
        case .narInfos(let cache): return try GetNarInfos.respond(call, cache)
        case .closure(let cache, let hash): return try GetClosure.respond(call, cache, hash)
        case .nar(let cache, let name): return try GetNar.respond(call, cache, name)
        case .putCacheInfo(let cache): return try PutCacheInfo.respond(call, cache)
        case .putNarInfo(let cache, let hash): return try PutNarInfo.respond(call, cache, hash)
        case .putNar(let cache, let name): return try PutNar.respond(call, cache, name)
        case .getListing(let cache, let hash): return try GetListing.respond(call, cache, hash)
        case .putListing(let cache, let hash): return try PutListing.respond(call, cache, hash)
        case .getBuildLog(let cache, let derivation): return try GetBuildLog.respond(call, cache, derivation)
        case .putBuildLog(let cache, let derivation): return try PutBuildLog.respond(call, cache, derivation)
        case .getRealisation(let cache, let id): return try GetRealisation.respond(call, cache, id)
        case .putRealisation(let cache, let id): return try PutRealisation.respond(call, cache, id)
        case .getCacheConfig(let cache): return try GetCacheConfig.respond(call, cache)
        case .createCache(let cache): return try CreateCache.respond(call, cache)
        case .configureCache(let cache): return try ConfigureCache.respond(call, cache)
        case .destroyCache(let cache): return try DestroyCache.respond(call, cache)
        case .findMissingPaths: return try FindMissingPaths.respond(call)
        case .uploadPath: return try UploadPath.respond(call)
        case .uploadPaths: return try UploadPaths.respond(call)
        }
    }

    /// The problem as it is told: a refused push of plain Nix by a status that ends it; and what a refused read of a binary cache
    /// means to Nix is the operator's choice.
    private func told(_ problem: Problem, _ head: RequestHead) -> Problem {
        guard let route = try? Route(head.method, head.target.segments) else { return problem }
        if route.isPushOfPlainNix { return problem.toPlainNix }
        guard case .unauthorized(let reason) = problem, route.readsBinaryCache else { return problem }
        return .refusedRead(context.configuration.refusedReadStatus, reason: reason)
    }

    /// Refuses a host outside `allowed-hosts`, where that is configured: the one that the target names where it is a URL, else
    /// that of `Host` (RFC 9112, section 3.2.2).
    private func checkHost(_ head: RequestHead) throws(Problem) {
        let allowed = context.configuration.allowedHosts
        guard !allowed.isEmpty else { return }
        let host = head.authority ?? ""
        guard allowed.contains(where: { $0.lowercased() == host.lowercased() }) else {
            throw .request("this server does not answer for the host \"\(Route.printable(host))\" (see allowed-hosts in its configuration).")
        }
    }

    private static let welcome = Response(.ok, headers: [("Content-Type", "text/plain; charset=utf-8")],
        body: .bytes(Array("This is a tetryx Nix binary cache server. A cache is at /{cache}; \"tetryx use {cache}\" configures Nix for it.\n".utf8)))
}
