import Storage
import Testing

@Suite struct PackNameTests {
    @Test("A name is read back as it was written")
    func roundTrip() throws {
        for _ in 0..<100 {
            let name = PackName.random()
            #expect(name.text.utf8.count == 32)
            #expect(PackName(name.text) == name)
        }
        let edge = "000000000000000f00000000000000a0"
        #expect(PackName(edge)?.text == edge)
    }

    @Test("Anything but 32 lower-case hexadecimal characters is no name", arguments: [
        "", "abc", String(repeating: "a", count: 31), String(repeating: "a", count: 33), String(repeating: "A", count: 32),
        String(repeating: "g", count: 32), "../../../../../../etc/passwd0000", String(repeating: "é", count: 16),
    ])
    func refused(text: String) { #expect(PackName(text) == nil) }

    @Test("Names sort as their text does")
    func order() {
        let names = (0..<50).map { _ in PackName.random() }
        #expect(names.sorted().map(\.text) == names.map(\.text).sorted())
    }
}
