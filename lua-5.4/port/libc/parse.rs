//! `strtod`: the float that a text begins with, decimal or hexadecimal, correctly rounded.
//!
//! Decimal numerals go to Rust's own parser (`core`), but for the short ones, whose float is one
//! exact multiplication or division away. Hexadecimal ones are read here.
//!
//! One numeral is beyond `core`: an exponent above 655359 whose effect as many zeros undo (so more
//! than half a megabyte of text) reads as zero or infinity.
//!
//! Not here: `inf` and `nan`, which are no numerals to Lua (so no conversion), locales (the decimal
//! point is a point), and errno.

use core::ffi::{c_char, c_int};

use super::ctype::perilune_isspace;

/// # Safety
/// `text` ends in NUL; `end` is null or writable.
#[cfg_attr(all(target_arch = "wasm32", target_os = "unknown"), unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_strtod(text: *const c_char, end: *mut *mut c_char) -> f64 {
    let mut length = 0;
    // SAFETY: no byte before `length` was the NUL.
    while unsafe { text.cast::<u8>().wrapping_add(length).read() } != 0 {
        length += 1;
    }
    // SAFETY: these bytes were all just read.
    let bytes = unsafe { core::slice::from_raw_parts(text.cast::<u8>(), length) };
    let (value, used) = parse(bytes);
    if !end.is_null() {
        // SAFETY: `end` is writable if it is not null, says the caller.
        unsafe { end.write(text.wrapping_add(used).cast_mut()) };
    }
    value
}

/// The float at the start of `text`, and how many bytes it took: zero and zero if there is none.
fn parse(text: &[u8]) -> (f64, usize) {
    let spaces = text
        .iter()
        .take_while(|c| perilune_isspace(c_int::from(**c)) != 0)
        .count();
    let mut cursor = Cursor {
        rest: text.get(spaces..).unwrap_or_default(),
    };
    let sign = cursor.rest.first();
    let negative = sign == Some(&b'-');
    if negative || sign == Some(&b'+') {
        cursor.advance(1);
    }
    let magnitude = match cursor.rest {
        [b'0', b'x' | b'X', digits @ ..] => {
            let start = cursor;
            cursor.rest = digits;
            let value = hexadecimal(&mut cursor);
            if value.is_none() {
                cursor = start;
                cursor.advance(1); // no digit behind the 0x: the numeral is the 0
            }
            Some(value.unwrap_or(0.0))
        }
        _ => decimal(&mut cursor),
    };
    match magnitude {
        Some(value) => (
            if negative { -value } else { value },
            text.len() - cursor.rest.len(),
        ),
        None => (0.0, 0),
    }
}

/// What is left of the text.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    rest: &'a [u8],
}

impl Cursor<'_> {
    fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// Reads the digits of a significand, and its point, each digit through `take` (which answers
    /// false to what is no digit) with whether it stands behind the point. True if there was one.
    #[inline]
    fn significand(&mut self, mut take: impl FnMut(u8, bool) -> bool) -> bool {
        let (mut any, mut behind) = (false, false);
        while let Some((first, rest)) = self.rest.split_first() {
            if take(*first, behind) {
                any = true;
            } else if *first == b'.' && !behind {
                behind = true;
            } else {
                break;
            }
            self.rest = rest;
        }
        any
    }

    /// Reads an exponent behind `letter`, if there is one with at least one digit.
    /// It stops growing far beyond any that a text in memory could make up for with its digits.
    fn exponent(&mut self, letter: u8) -> i64 {
        const ENOUGH: i64 = 1 << 48;
        let digits = match self.rest {
            [first, b'+' | b'-', digits @ ..] if first | 0x20 == letter => digits,
            [first, digits @ ..] if first | 0x20 == letter => digits,
            _ => return 0,
        };
        if !digits.first().is_some_and(u8::is_ascii_digit) {
            return 0;
        }
        let negative = self.rest.get(1) == Some(&b'-');
        self.rest = digits;
        let mut exponent = 0;
        while let Some((digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            if exponent < ENOUGH {
                exponent = exponent * 10 + i64::from(digit - b'0');
            }
            self.rest = rest;
        }
        if negative { -exponent } else { exponent }
    }
}

/// `10^0 ..= 10^22`: the powers of ten that are floats.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

fn decimal(cursor: &mut Cursor) -> Option<f64> {
    /// From here on a further digit may not fit in a u64.
    const FULL: u64 = u64::MAX / 10 - 1;
    let numeral = cursor.rest;
    let (mut whole, mut places, mut dropped) = (0_u64, 0_i64, false);
    let any = cursor.significand(|c, behind| {
        if !c.is_ascii_digit() {
            return false;
        }
        if whole < FULL {
            whole = whole * 10 + u64::from(c - b'0');
            places -= i64::from(behind);
        } else {
            dropped = true;
        }
        true
    });
    if !any {
        return None;
    }
    let exponent = cursor.exponent(b'e') + places;

    // A whole number and a power of ten that both are floats: their product and their quotient are
    // rounded once, by the machine.
    if !dropped && whole <= 1 << 53 {
        let power = TENS.get(usize::try_from(exponent.unsigned_abs()).unwrap_or(usize::MAX));
        if let Some(power) = power {
            #[allow(clippy::cast_precision_loss, reason = "at most 2^53: exact")]
            let whole = whole as f64;
            return Some(if exponent < 0 {
                whole / power
            } else {
                whole * power
            });
        }
    }
    let numeral = numeral
        .get(..numeral.len() - cursor.rest.len())
        .unwrap_or_default();
    // SAFETY: the bytes taken from the cursor are digits, a point, an `e`, a sign: all ASCII.
    let numeral = unsafe { core::str::from_utf8_unchecked(numeral) };
    Some(numeral.parse().unwrap_or(0.0)) // never an error: Rust's numerals include all of these
}

/// Reads what is behind `0x`; None if it has no digit.
fn hexadecimal(cursor: &mut Cursor) -> Option<f64> {
    /// While the significand is below, another digit fits.
    const FULL: u64 = 1 << 60;
    let (mut significand, mut exponent, mut sticky) = (0_u64, 0_i64, false);
    let any = cursor.significand(|c, behind| {
        let digit = match c {
            b'0'..=b'9' => c - b'0',
            b'a'..=b'f' | b'A'..=b'F' => (c | 0x20) - b'a' + 10,
            _ => return false,
        };
        if significand < FULL {
            significand = significand << 4 | u64::from(digit);
            exponent -= 4 * i64::from(behind);
        } else {
            sticky |= digit != 0; // too low to be kept, but it may break a tie
            exponent += 4 * i64::from(!behind);
        }
        true
    });
    any.then(|| {
        let exponent = exponent + cursor.exponent(b'p');
        compose(significand, exponent, sticky)
    })
}

/// The float nearest to `significand * 2^exponent`, ties to even; `sticky` says that the true value
/// is a little more.
fn compose(significand: u64, exponent: i64, sticky: bool) -> f64 {
    if significand == 0 {
        return 0.0;
    }
    let lead = significand.leading_zeros();
    let significand = significand << lead;
    let exponent = exponent - i64::from(lead) + 63; // of the leading one
    if exponent > 1023 {
        return f64::INFINITY;
    }
    // A float keeps 53 bits, a subnormal as many as lie above 2^-1074.
    let below = if exponent < -1022 {
        -1022 - exponent
    } else {
        0
    };
    if below > 53 {
        return 0.0; // less than half of the least float
    }
    let dropped = 11 + below as u32; // 11 to 64 bits
    let kept = significand.checked_shr(dropped).unwrap_or(0);
    let half = 1 << (dropped - 1);
    let rest = significand & (half | (half - 1));
    let up = rest > half || rest == half && (sticky || kept & 1 != 0);
    // A normal float's leading one adds itself to the exponent field; so does a carry, which makes
    // of the largest subnormal the least normal, and of the largest float infinity.
    let field = if below > 0 {
        0
    } else {
        (exponent + 1022) as u64
    };
    f64::from_bits((field << 52) + kept + u64::from(up))
}
