/// A chunk's `frame_checksum`: the CRC-64 of its stored frame, by which an upload that brings the chunk again knows that its bytes
/// are still there without opening them. Null in rows of before, whose frames are opened instead.
func checksumSchema(_ dialect: Dialect) -> String {
    "ALTER TABLE chunk ADD COLUMN frame_checksum \(dialect.integer);"
}
