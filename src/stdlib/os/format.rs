//! The formats of `os.date`: C's `strftime` in the locale "C", one conversion specifier at a time, into a
//! buffer of fixed size.

use super::calendar::Fields;

/// The text of one specifier.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: [u8; PIECE_BYTES],
    len: usize,
}

/// Size of a piece, in bytes. The longest is `%c` with a year of eleven characters: 31.
const PIECE_BYTES: usize = 48;

/// The time zone of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    Utc,
    /// Local time, this many minutes ahead of UTC.
    Local(i64),
}

const DAYS: [&[u8]; 7] =
    [b"Sunday", b"Monday", b"Tuesday", b"Wednesday", b"Thursday", b"Friday", b"Saturday"];
const MONTHS: [&[u8]; 12] = [
    b"January",
    b"February",
    b"March",
    b"April",
    b"May",
    b"June",
    b"July",
    b"August",
    b"September",
    b"October",
    b"November",
    b"December",
];

/// The length of the conversion specifier of C99 at the start of `text`, which follows a `%`: one letter, or
/// E or O and a letter. `None` if there is none.
pub(super) fn specifier_len(text: &[u8]) -> Option<usize> {
    let one_of = |letters: &[u8], at: usize| text.get(at).is_some_and(|letter| letters.contains(letter));
    match text.first() {
        Some(b'E') => one_of(b"cCxXyY", 1).then_some(2),
        Some(b'O') => one_of(b"deHImMSuUVwWy", 1).then_some(2),
        _ => one_of(b"aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%", 0).then_some(1),
    }
}

impl Piece {
    /// Formats the specifier with this letter. (E and O have no effect in the locale "C".)
    pub(super) fn of(letter: u8, time: &Fields, zone: Zone) -> Piece {
        let mut piece = Piece { bytes: [0; PIECE_BYTES], len: 0 };
        piece.add(letter, time, zone);
        piece
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn add(&mut self, letter: u8, time: &Fields, zone: Zone) {
        match letter {
            b'a' => self.text(&DAYS[time.week_day as usize][..3]),
            b'A' => self.text(DAYS[time.week_day as usize]),
            b'b' | b'h' => self.text(&MONTHS[time.month as usize - 1][..3]),
            b'B' => self.text(MONTHS[time.month as usize - 1]),
            b'c' => self.all(b"a b e T Y", time, zone),
            // glibc pads neither centuries nor years.
            b'C' => self.number(time.year.div_euclid(100), 1, b'0'),
            b'd' => self.number(time.day, 2, b'0'),
            b'D' | b'x' => self.all(b"m/d/y", time, zone),
            b'e' => self.number(time.day, 2, b' '),
            b'F' => self.all(b"Y-m-d", time, zone),
            b'g' => self.number(time.iso_week().0.rem_euclid(100), 2, b'0'),
            b'G' => self.number(time.iso_week().0, 1, b'0'),
            b'H' => self.number(time.hour, 2, b'0'),
            b'I' => self.number((time.hour + 11) % 12 + 1, 2, b'0'),
            b'j' => self.number(time.year_day + 1, 3, b'0'),
            b'm' => self.number(time.month, 2, b'0'),
            b'M' => self.number(time.minute, 2, b'0'),
            b'n' => self.text(b"\n"),
            b'p' => self.text(if time.hour < 12 { b"AM" } else { b"PM" }),
            b'r' => self.all(b"I:M:S p", time, zone),
            b'R' => self.all(b"H:M", time, zone),
            b'S' => self.number(time.second, 2, b'0'),
            b't' => self.text(b"\t"),
            b'T' | b'X' => self.all(b"H:M:S", time, zone),
            b'u' => self.number((time.week_day + 6) % 7 + 1, 1, b'0'),
            b'U' => self.number((time.year_day + 7 - time.week_day) / 7, 2, b'0'),
            b'V' => self.number(time.iso_week().1, 2, b'0'),
            b'w' => self.number(time.week_day, 1, b'0'),
            b'W' => self.number((time.year_day + 7 - (time.week_day + 6) % 7) / 7, 2, b'0'),
            b'y' => self.number(time.year.rem_euclid(100), 2, b'0'),
            b'Y' => self.number(time.year, 1, b'0'),
            b'z' => self.offset(zone),
            b'Z' => match zone {
                Zone::Utc => self.text(b"GMT"),
                Zone::Local(0) => self.text(b"UTC"),
                // The time zone database names zones without an abbreviation like this.
                Zone::Local(_) => self.offset(zone),
            },
            _ => self.text(b"%"),
        }
    }

    /// Formats a pattern: letters are specifiers, all other bytes are literal.
    fn all(&mut self, pattern: &[u8], time: &Fields, zone: Zone) {
        for &byte in pattern {
            if byte.is_ascii_alphabetic() { self.add(byte, time, zone) } else { self.text(&[byte]) }
        }
    }

    fn text(&mut self, text: &[u8]) {
        let end = PIECE_BYTES.min(self.len + text.len());
        self.bytes[self.len..end].copy_from_slice(&text[..end - self.len]);
        self.len = end;
    }

    fn number(&mut self, value: i64, width: usize, pad: u8) {
        let mut digits = [pad; 20];
        let (mut at, mut rest) = (digits.len(), value.unsigned_abs());
        while rest > 0 || at == digits.len() {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        if value < 0 {
            self.text(b"-");
        }
        self.text(&digits[at.min(digits.len() - width)..]);
    }

    fn offset(&mut self, zone: Zone) {
        let minutes = if let Zone::Local(minutes) = zone { minutes } else { 0 };
        self.text(if minutes < 0 { b"-" } else { b"+" });
        self.number(minutes.abs() / 60 * 100 + minutes.abs() % 60, 4, b'0');
    }
}
