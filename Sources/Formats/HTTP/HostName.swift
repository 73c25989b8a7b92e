/// Whether the bytes are `uri-host [ ":" port ]` (RFC 9110, section 7.2), as Host has it; empty is allowed, since a client may
/// have none to name (RFC 9112, section 3.2).
///
/// Of what RFC 3986, section 3.2.2, allows in a name only what names in use are made of: a comma or a quote in it is read as two
/// hosts by one reader and as one by the next.
func isHost(_ base: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
    var index = range.lowerBound
    let end = range.upperBound
    if index == end { return true }
    if unsafe base[index] == Byte.openBracket {
        index += 1
        let start = index
        while index < end, unsafe hexDigit(base[index]) != nil || base[index] == Byte.colon || base[index] == Byte.dot { index += 1 }
        guard index > start, index < end, unsafe base[index] == Byte.closeBracket else { return false }
        index += 1
    } else {
        let start = index
        while index < end, unsafe isHostByte(base[index]) { index += 1 }
        if index == start { return false }
    }
    if index == end { return true }
    guard unsafe base[index] == Byte.colon, end - index <= 6 else { return false }
    var port = 0
    while index + 1 < end {
        index += 1
        guard unsafe isDigit(base[index]) else { return false }
        port = unsafe port * 10 + Int(base[index] - Byte.zero)
    }
    return port < 65_536
}
