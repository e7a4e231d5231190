//! Escapes of JSON: of a character that may not stand in a string.

/// Length of the longest escape.
pub(crate) const ESCAPE_BYTES_MAX: usize = 6;

/// Returns an ASCII character as it stands in a string, written into `room` where it is escaped.
pub(crate) fn escaped(byte: u8, room: &mut [u8; ESCAPE_BYTES_MAX]) -> &[u8] {
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0A => b'n',
        0x0C => b'f',
        0x0D => b'r',
        0..0x20 => {
            let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 15)];
            *room = [b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)];
            return room;
        }
        _ => {
            room[0] = byte;
            return &room[..1];
        }
    };
    [room[0], room[1]] = [b'\\', letter];
    &room[..2]
}
