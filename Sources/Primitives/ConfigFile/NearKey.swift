/// The key that was probably meant: the nearest by edits, where one is near enough.
///
/// - Returns: nil where more than a third of the letters would have to change.
func nearest(to key: String, among known: some Sequence<String>) -> String? {
    let ranked = known.map { (edits: edits(from: key, to: $0), name: $0) }.sorted { $0 < $1 }
    guard let best = ranked.first, best.edits <= max(1, key.unicodeScalars.count / 3) else { return nil }
    return best.name
}

/// How many letters must be added, removed, changed or swapped with their neighbour (optimal string alignment),
/// `_` taken as `-`. A key is at most as long as a line, and the known ones are short.
private func edits(from source: String, to target: String) -> Int {
    func letters(_ text: String) -> [Unicode.Scalar] { text.lowercased().unicodeScalars.map { $0 == "_" ? "-" : $0 } }
    let (from, to) = (letters(source), letters(target))
    // Beyond this nothing is near, and the table stays small whatever the file holds.
    if from.count > 64 || to.count > 64 || from.isEmpty || to.isEmpty { return max(from.count, to.count) }
    var table = [[Int]](repeating: [Int](repeating: 0, count: to.count + 1), count: from.count + 1)
    for row in 0...from.count { table[row][0] = row }
    for column in 0...to.count { table[0][column] = column }
    for row in 1...from.count {
        for column in 1...to.count {
            let change = from[row - 1] == to[column - 1] ? 0 : 1
            var best = min(table[row - 1][column] + 1, table[row][column - 1] + 1, table[row - 1][column - 1] + change)
            if row > 1, column > 1, from[row - 1] == to[column - 2], from[row - 2] == to[column - 1] {
                best = min(best, table[row - 2][column - 2] + 1)
            }
            table[row][column] = best
        }
    }
    return table[from.count][to.count]
}
