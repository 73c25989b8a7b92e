import Glibc

/// The fuzzer: libFuzzer around one target, named by the environment variable TETRYX_FUZZ_TARGET since libFuzzer starts itself
/// anew with arguments of its own (https://llvm.org/docs/LibFuzzer.html). With the one argument `list` it prints each target and the
/// bytes of its longest input.
@main struct Fuzzer {
    static func main() {
        if CommandLine.arguments.dropFirst() == ["list"] {
            for target in FuzzTarget.all { print(target.name, target.byteCountMax) }
            return
        }
        var argumentCount = CommandLine.argc
        var arguments = unsafe CommandLine.unsafeArgv
        let status = unsafe runDriver(&argumentCount, &arguments) { start, count in
            let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
            do { try chosen.check(bytes) } catch {
                print("\(chosen.name): \(error)")
                fflush(nil)
                abort()
            }
            return 0
        }
        exit(status)
    }
}

private let chosen: FuzzTarget = {
    let name = unsafe getenv("TETRYX_FUZZ_TARGET").map { unsafe String(cString: $0) }
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        print("fuzz: set TETRYX_FUZZ_TARGET to one of: \(FuzzTarget.all.map(\.name).joined(separator: " "))")
        exit(2)
    }
    return target
}()

/// `LLVMFuzzerRunDriver` of libFuzzer's FuzzerInterface: the whole fuzzer, without a `main` of its own.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ argumentCount: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ oneInput: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
