import AtticAPI
import HTTP
import HTTPServer
import Platform
import Support
import Testing

@testable import AtticServer

@Suite("Pulls from a bucket")
struct BucketPullTests {
    let fixture: Fixture
    let cache: CacheName
    let path: TestPath

    init() throws {
        fixture = try Fixture(on: .directory)
        cache = try fixture.makeCache("hello", isPublic: true)
        path = try TestPath("tool", seeds: [1], byteCount: 30_000)
        #expect(try fixture.push(path, to: cache).status == .ok)
    }

    @Test("What asks the bucket before it is answered has threads of its own, and nothing else has those")
    func lanes() throws {
        let hash = path.storePath.hash
        try BucketReplica.run(of: fixture) { server in
            for method in ["GET", "HEAD"] {
                for target in ["nar/\(hash).nar", "\(hash).ls", "\(hash).narinfo", "nix-cache-info", "\(hash).closure.narinfo"] {
                    let head = try RequestHead(parsing: "\(method) /hello/\(target) HTTP/1.1\r\nHost: h\r\n\r\n")
                    let ofFiles = fixture.application.lane(for: head)
                    let asksBucket = target.hasSuffix(".nar") || target.hasSuffix(".ls")
                    #expect(ofFiles != .fetching)
                    #expect(server.application.lane(for: head) == (asksBucket ? .fetching : ofFiles))
                }
            }
        }
    }

    @Test("While the bucket does not answer, pulls wait, and all else is answered")
    func silent() throws {
        let url = try "/hello/\(fixture.narInfo(path, in: cache).url)"
        try BucketReplica.run(of: fixture) { bucket in
            bucket.state.update { $0.isSilent = true }
            var limits = Limits()
            (limits.queryThreads, limits.documentThreads, limits.readingThreads, limits.fetchingThreads) = (2, 2, 2, 2)
            let server = try Server(
                listen: [ListenAddress(parsing: "127.0.0.1:0")], limits: limits, handler: bucket.application, loopCount: 1,
                log: fixture.context.log)
            server.start()
            defer {
                bucket.state.update { $0.isSilent = false }
                server.drain(timeout: .zero)
            }
            func ask(_ method: String, _ path: String, body: [UInt8] = []) throws -> RawConnection {
                let client = try RawConnection(to: server.boundAddresses[0])
                let head = "\(method) \(path) HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \(try fixture.root())\r\n"
                try client.send(Array("\(head)Content-Length: \(body.count)\r\n\r\n".utf8) + body)
                return client
            }
            let pulls = try (1...5).map { _ in try ask("HEAD", url) }
            #expect(bucket.state.wait(until: .now + .seconds(20)) { $0.sizeQuestions == 2 ? true : nil } == true)
            // None of these was asked for here before, so they are answered by threads.
            let hash = path.storePath.hash
            let others = try [
                ask("GET", "/hello/\(hash).narinfo"), ask("GET", "/hello/\(hash).closure.narinfo"), ask("GET", Endpoint.cacheConfig(cache)),
                ask("POST", Endpoint.getMissingPaths, body: MissingPathsRequest(cache: cache, storePathHashes: [hash]).json()),
            ]
            for other in others { #expect(try other.receiveAnswer()?.status == 200) }
            #expect(bucket.state.withLock { $0.sizeQuestions } == 2, "the other pulls wait for a thread")
            bucket.state.update { $0.isSilent = false }
            for pull in pulls { #expect(try pull.receiveAnswer(hasBody: false)?.status == 200) }
        }
    }

    @Test("A pack that is lost is noticed a minute after it was seen at most, where clients are sent to the bucket for it", arguments: [
        BucketReplica.Loss.end, .all,
    ])
    func redirected(loss: BucketReplica.Loss) throws {
        let url = try "/hello/\(fixture.narInfo(path, in: cache).url)"
        try BucketReplica.run(of: fixture, redirects: true) { server in
            func status(_ method: String, _ url: String) throws -> Int { Int(try fixture.send(method, url, to: server.application).status.code) }
            for _ in 1...3 { #expect(try status("GET", url) == 307) }
            #expect(server.state.withLock { $0.sizeQuestions } == 1)
            fixture.advance(.seconds(61))
            #expect(try status("GET", url) == 307 && status("HEAD", url) == 307)
            #expect(server.state.withLock { $0.sizeQuestions } == 2)
            server.state.update { $0.loss = loss }
            fixture.advance(.seconds(59))
            #expect(try status("GET", url) == 307)
            fixture.advance(.seconds(2))
            let answer = try fixture.send("GET", url, to: server.application)
            #expect(answer.status == .serviceUnavailable && answer.text.contains("IncompleteNar"))
            #expect(try status("HEAD", url) == 404)
            #expect(try status("GET", "/hello/\(path.storePath.hash).narinfo") == 404, "it is marked")
        }
    }

    @Test("Where clients are not sent there, a size that is known is not asked for again")
    func notRedirected() throws {
        let url = try "/hello/\(fixture.narInfo(path, in: cache).url)"
        try BucketReplica.run(of: fixture) { server in
            for _ in 1...2 {
                let answer = try fixture.send("HEAD", url, to: server.application)
                #expect(answer.status == .ok)
                fixture.advance(.seconds(3600))
            }
            #expect(server.state.withLock { $0.sizeQuestions } == 1)
        }
    }
}
