import ArgumentParser
import AtticClient
import Platform

/// The cache that a command is about.
struct CacheArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("CACHE, SERVER:CACHE or https://HOST/PATH/CACHE.", valueName: "cache"))
    var reference: String

    func validate() throws {
        do throws(ClientFailure) { _ = try CacheReference(reference) } catch {
            throw ValidationError("\(error.message). \(error.advice ?? "")")
        }
    }
}

extension ClientContext {
    /// The context of this process.
    static func ofProcess() throws(ClientFailure) -> ClientContext { try ClientContext(environment: Environment.all) }
}
