import Platform
import Support
import Testing

/// The real tools with a real Nix, driven by the scripts in `Shell`, which a person may run as well. They need the
/// release binaries, so they run only where `TETRYX_BINARIES` names them: `scripts/test` does.
@Suite(
    .serialized,
    .enabled(if: Subprocess.ownEnvironment["TETRYX_BINARIES"] != nil, "TETRYX_BINARIES is not set: run scripts/test"))
struct EndToEndTests {
    @Test("The tutorial is true, line by line")
    func tutorial() throws { try passes("tutorial.sh", minutes: 5) }

    @Test("On PostgreSQL that is killed meanwhile eight clients push the same paths, each comes to be once, and one collector is enough")
    func postgres() throws { try passes("postgres.sh", minutes: 5) }

    @Test("PostgreSQL is believed by its authority's certificate alone, and its password is told to nobody")
    func postgresTLS() throws { try passes("postgres-tls.sh", minutes: 3) }

    @Test("A closure of 40 mixed paths comes back equal, and its second generation costs little space")
    func closure() throws { try passes("closure.sh", minutes: 5) }

    @Test("Plain Nix pushes in every compression, and pulls it back")
    func nixCopy() throws { try passes("nix-copy.sh", minutes: 8) }

    @Test("A large NAR of plain Nix passes through little memory")
    func putLarge() throws { try passes("put-large.sh", minutes: 5) }

    @Test("A closure of 1,000 tiny paths goes in and comes back")
    func many() throws { try passes("many.sh", minutes: 8) }

    @Test("A server killed in the middle of pushes loses nothing that it acknowledged")
    func crash() throws { try passes("crash.sh", minutes: 5) }

    @Test("Paths behind a daemon, in a chroot store and in another store directory go in and come back")
    func stores() throws { try passes("stores.sh", minutes: 5) }

    @Test("What comes into a watched store is pushed, also after the server was away")
    func watch() throws { try passes("watch.sh", minutes: 3) }

    @Test("Pushes and pulls go through HTTPS, redirects and proxies, and outlast a server that is killed")
    func https() throws { try passes("https.sh", minutes: 4) }

    @Test("A revoked token opens nothing on a running server, and ends what it had begun")
    func revoke() throws { try passes("revoke.sh", minutes: 3) }

    @Test("What is secret is in no file, log, argument or variable that others can read")
    func secrets() throws { try passes("secrets.sh", minutes: 3) }

    @Test("A pull whose connections are cut within NARs goes on by ranges, and all is whole")
    func resume() throws { try passes("resume.sh", minutes: 5) }

    @Test("Ten thousand idle connections, a thousand slow heads and readers that read nothing keep nobody waiting")
    func crowd() throws { try passes("crowd.sh", minutes: 8) }

    @Test("Listings are those that Nix writes, and Nix lists and reads paths over HTTP")
    func listing() throws { try passes("listing.sh", minutes: 3) }

    @Test("Bytes that are lost are refused, named and brought back, and a copy that was made while pushes went on serves")
    func fsck() throws { try passes("fsck.sh", minutes: 5) }

    @Test("Damage of every kind is refused, sends Nix to the next cache, and is healed by every way of pushing")
    func healing() throws { try passes("healing.sh", minutes: 8) }

    @Test("A full disk refuses what does not fit and nothing else, and a collection makes room on it")
    func fullDisk() throws { try passes("full-disk.sh", minutes: 5) }

    @Test("A disk that refuses, descriptors that run out and a clock that jumps are told, harm nothing, and pass")
    func trouble() throws { try passes("trouble.sh", minutes: 6) }

    @Test("A closure is stored in each compression, and beside one of another")
    func stored() throws { try passes("stored.sh", minutes: 4) }

    @Test("A server in parts: modes, sockets with paths and passed ones, tokens of RSA, health, and what systemd hears")
    func modes() throws { try passes("modes.sh", minutes: 4) }

    @Test("Packs in an S3 bucket go in, come back, are compacted and deleted, through trouble and losses")
    func bucket() throws { try passes("bucket.sh", minutes: 6) }

    @Test("On PostgreSQL and a bucket, damage between rows and bytes is named, repaired and brought back")
    func damage() throws { try passes("on-each.sh", ["-c", "postgresql+s3", "damage.sh"], minutes: 5) }

    @Test("Logs of builds go along with a push, and come back by Nix's own commands")
    func logs() throws { try passes("logs.sh", minutes: 5) }

    @Test("A content-addressed derivation that one machine built is not built by another")
    func realisations() throws { try passes("realisations.sh", minutes: 5) }
}

/// The scripts that kill servers, which take minutes and hardly ever need a whole processor: beside all others. They need
/// binaries built for debugging as well, which can be told to fail.
@Suite(
    .serialized,
    .enabled(
        if: Subprocess.ownEnvironment["TETRYX_BINARIES"] != nil && Subprocess.ownEnvironment["TETRYX_TEST_BINARIES"] != nil,
        "TETRYX_BINARIES or TETRYX_TEST_BINARIES is not set: run scripts/test"))
struct EndToEndCrashTests {
    @Test("A server killed at any step of a push or a collection, or in trouble with its disk, loses nothing and leaves nothing over")
    func crashSteps() throws { try passes("crash-steps.sh", minutes: 20) }

    @Test("What plain Nix puts, batches, ends of caches, revocations, repairs, backups and collections may be killed at any step")
    func crashOperations() throws { try passes("crash-operations.sh", minutes: 20) }

    @Test("Two servers and a collector on PostgreSQL and a bucket lose nothing while they are killed, and the database restarts")
    func replicas() throws { try passes("replicas.sh", minutes: 8) }
}

/// Runs a script of `Shell`, and expects that it succeeds.
private func passes(_ script: String, _ arguments: [String] = [], minutes: Int) throws {
    let folder = File.parent(of: #filePath) + "/Shell"
    let outcome = try Subprocess.run(["timeout", "\(minutes * 60)", "\(folder)/\(script)"] + arguments)
    // The figures that a script reports belong in the log of the run, also when it passes.
    print(outcome.errorText, terminator: "")
    #expect(outcome.isSuccess, "\(script): \(outcome.status)\n\(outcome.outputText)")
}
