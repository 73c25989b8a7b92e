import Platform

/// The bars of the uploads that run: which there are, and what they look like at some moment. Pure: no terminal here.
package struct ProgressBoard: Sendable {
    /// One upload.
    private struct Bar: Sendable {
        let name: String
        let byteCount: Int64
        let start: MonotonicTime
        var sentByteCount: Int64 = 0
    }

    /// How bars may look.
    package struct Style: Hashable, Sendable {
        package let usesColor: Bool
        package init(usesColor: Bool) { self.usesColor = usesColor }
    }

    private var bars: [Int: Bar] = [:]

    package init() {}

    package var isEmpty: Bool { bars.isEmpty }

    /// An upload begins.
    ///
    /// - Parameters:
    ///   - slot: who does it; its bar keeps that place.
    ///   - byteCount: what it will send.
    package mutating func begin(slot: Int, name: String, byteCount: Int64, at now: MonotonicTime) {
        bars[slot] = Bar(name: name, byteCount: byteCount, start: now)
    }

    /// How many bytes it has sent by now.
    package mutating func move(slot: Int, to sentByteCount: Int64) { bars[slot]?.sentByteCount = sentByteCount }

    package mutating func end(slot: Int) { bars[slot] = nil }

    /// The lines to show, each narrower than the terminal: a line that fills the last column may wrap.
    package func lines(in size: Terminal.Size, at now: MonotonicTime, style: Style) -> [String] {
        let width = max(size.columns - 1, 1)
        let room = max(size.rows - 1, 1)
        let sorted = bars.sorted { $0.key < $1.key }.map(\.value)
        var lines = sorted.prefix(sorted.count > room ? room - 1 : room).map { Self.line($0, width: width, at: now, style: style) }
        if sorted.count > room { lines.append(Self.cut("… and \(sorted.count - lines.count) more", to: width)) }
        return lines
    }

    /// `name  [======>    ]  12.00 MiB / 52.89 MiB  10.20 MiB/s`, with what fits: the bar gives way first, then the rate.
    private static func line(_ bar: Bar, width: Int, at now: MonotonicTime, style: Style) -> String {
        let amount = "\(ByteWords.words(bar.sentByteCount)) / \(ByteWords.words(bar.byteCount))"
        let rate = ByteWords.rate(bar.sentByteCount, in: now - bar.start)
        // The longest amounts and rates, so that columns stay where they are while the numbers grow.
        let amountWidth = max(amount.count, 2 * ByteWords.words(bar.byteCount).count + 3)
        let rateWidth = max(rate.count, 13)
        let tail = padded(amount, amountWidth) + "  " + padded(rate, rateWidth)
        let nameMin = 12
        if width < nameMin + 2 + amount.count { return cut(bar.name, to: width) }
        if width < nameMin + 2 + tail.count {
            return fit(bar.name, width - 2 - amount.count) + "  " + amount
        }
        let rest = width - tail.count - 2
        let barWidth = min(30, rest - 2 - nameMin)
        if barWidth < 7 { return fit(bar.name, rest) + "  " + tail }
        let shape = shape(bar, width: barWidth, style: style)
        return fit(bar.name, rest - 2 - barWidth) + "  " + shape + "  " + tail
    }

    /// `[====>   ]`
    private static func shape(_ bar: Bar, width: Int, style: Style) -> String {
        let inner = width - 2
        let fraction = bar.byteCount > 0 ? min(Double(bar.sentByteCount) / Double(bar.byteCount), 1) : 1
        let full = Int(Double(inner) * fraction)
        let head = full < inner ? ">" : ""
        let filled = String(repeating: "=", count: full) + head
        let empty = String(repeating: " ", count: inner - full - head.count)
        return style.usesColor ? "[\u{1B}[32m\(filled)\u{1B}[0m\(empty)]" : "[\(filled)\(empty)]"
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(width - text.count, 0)) + text
    }

    /// Exactly `width` columns. Names of store paths are ASCII: a character is a column.
    private static func fit(_ text: String, _ width: Int) -> String {
        let cut = cut(text, to: width)
        return cut + String(repeating: " ", count: max(width - cut.count, 0))
    }

    private static func cut(_ text: String, to width: Int) -> String {
        text.count <= width ? text : text.prefix(max(width - 1, 0)) + "…"
    }
}
