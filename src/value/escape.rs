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

/// Number of bytes before the first that may not stand in a string as it is: a quote, a backslash, a control
/// character.
pub(crate) fn plain_len(bytes: &[u8]) -> usize {
    prefix(bytes, 0)
}

/// The same, where anything that is not ASCII ends it, too.
pub(crate) fn plain_ascii_len(bytes: &[u8]) -> usize {
    prefix(bytes, HIGH)
}

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);

/// Eight bytes at a time; those with any bit of `also` end it, too.
#[inline]
fn prefix(bytes: &[u8], also: u64) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, &word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(word);
        let found = special(word) | word & also;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\' && u64::from(byte) & also == 0;
    words.len() * 8 + rest.iter().position(|&byte| !is_plain(byte)).unwrap_or(rest.len())
}

/// The high bit of the first byte that needs an escape, and perhaps of others above it.
#[inline]
fn special(word: u64) -> u64 {
    let equals = |byte: u8| {
        let difference = word ^ (ONES * u64::from(byte));
        difference.wrapping_sub(ONES) & !difference
    };
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (controls | equals(b'"') | equals(b'\\')) & HIGH
}

#[cfg(test)]
mod tests {
    use super::{plain_ascii_len, plain_len};

    /// Bytes around every border, at every place of a text.
    #[test]
    fn the_first_byte_that_is_not_plain_is_found_at_every_place() {
        for len in 0..40 {
            for at in 0..len {
                for byte in 0..=255_u8 {
                    for filler in [b' ', b'!', b'#', b'[', b']', b'a', 0x7F, 0x80, 0xFF] {
                        let mut text = vec![filler; len];
                        text[at] = byte;
                        text[len - 1] = if at < len - 1 && at % 2 == 0 { 0x1F } else { text[len - 1] };
                        let escapes = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
                        let plain = text.iter().position(escapes).unwrap_or(len);
                        assert_eq!(plain_len(&text), plain, "{text:?}");
                        let ascii = text.iter().position(|byte| escapes(byte) || !byte.is_ascii());
                        assert_eq!(plain_ascii_len(&text), ascii.unwrap_or(len), "{text:?}");
                    }
                }
            }
        }
    }
}
