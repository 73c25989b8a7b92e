import Database

/// Reading a NAR to put its rows right.
extension NarVerifier {
    /// What came of reading a NAR and writing down what that told.
    enum Settling {
        /// Its rows say now what was read.
        case settled(Reading)
        /// It is not there any more, or not the one that was meant; nothing was written.
        case gone
        /// Its rows changed while it was read, every time; nothing was written.
        case changing
    }

    /// How often a NAR is read that changes meanwhile.
    static let triesMax = 5

    /// Reads all of a NAR, and writes into its rows what that told.
    ///
    /// - Parameter isMeant: is given its row as it is now; of another than was meant nothing is written.
    /// - Throws: as `read`, and `DatabaseError`.
    func settle(_ narID: Int64, where isMeant: (NarRecord) -> Bool = { _ in true }) throws -> Settling {
        for _ in 0..<NarVerifier.triesMax {
            guard let reading = try read(narID, { _ in true }), isMeant(reading.snapshot.nar) else { return .gone }
            let isSettled = try catalog.write { session throws(DatabaseError) in
                try session.settle(reading.verdict, on: reading.snapshot)
            }
            if isSettled { return .settled(reading) }
        }
        return .changing
    }
}
