import Platform
import Storage
import Testing

@Suite struct StorageErrorTests {
    private let pack = PackName.random()

    private func fate(_ cause: StorageError.Cause) -> StorageError.Fate { StorageError("read", "a pack", cause).fate }

    @Test func bytesAreLostWhereTheirPackIsGoneOrEndsTooEarly() {
        let short = StorageError.Cause.short(Extent(pack: pack, offset: 10, byteCount: 20), found: 5)
        #expect(fate(.missing(pack)) == .missing(pack) && fate(short) == .short(pack, found: 5))
        for cause in [.missing(pack), short] {
            #expect(fate(cause).losingPack == pack && StorageError("read", "a pack", cause).saysBytesAreLost)
        }
    }

    @Test func whatTheDiskCannotReadMayComeBack() {
        let error = StorageError(SystemError("read", "a pack", .inputOutput))
        #expect(error.fate == .unreadable(.inputOutput) && error.fate.losingPack == nil && !error.saysBytesAreLost)
    }

    @Test func otherTroubleSaysNothingOfTheBytes() {
        let causes: [StorageError.Cause] = [
            .full, .unsupported, .inUse, .unknownVersion("9"), .unreachable("away"), .refused("no"), .checkFailed("stopped"),
            .system(SystemError("open", "a pack", .tooManyFiles)),
        ]
        for cause in causes {
            #expect(fate(cause) == .unknown && fate(cause).losingPack == nil && !StorageError("read", "a pack", cause).saysBytesAreLost)
        }
    }
}
