//! `strtod`: the float that a text begins with, decimal or hexadecimal, correctly rounded (to nearest, ties
//! to even) however long the text and however far its exponent.
//!
//! A decimal numeral is a whole number, of its first 19 digits, times a power of ten. There are three
//! algorithms, each exact where it applies. Short numerals take one exact multiplication or division. For the
//! others the power is truncated to 64 bits, with a known bound of the error: nearly always both ends of the
//! interval round to the same float. If they do not, `decimal` computes all digits of the point halfway
//! between the two floats, and these are compared with the text digit by digit.
//!
//! The parser of `core` gives the same results, but its tables are ten kilobytes that do not compress.
//!
//! Not here: `inf` and `nan`, which are no numerals to Lua (so no conversion), locales (the decimal point is
//! a point), and errno.

use core::cmp::Ordering;
use core::ffi::c_char;

use super::decimal::{Binary, EXACT_DIGITS_MAX, FIVES, TENS};

/// # Safety
/// `text` ends in NUL; `end` is null or writable.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
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

/// The float at the start of `text`, and the number of bytes it takes: both zero if there is none.
fn parse(text: &[u8]) -> (f64, usize) {
    // Rust's is_ascii_whitespace leaves out the vertical tab.
    let spaces = text.iter().take_while(|c| matches!(c, b' ' | b'\t'..=b'\r')).count();
    let mut cursor = Cursor { rest: text.get(spaces..).unwrap_or_default() };
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
        Some(value) => (if negative { -value } else { value }, text.len() - cursor.rest.len()),
        None => (0.0, 0),
    }
}

/// The text that is not read yet.
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

    /// Reads an exponent behind `letter`, if there is one with at least one digit. It saturates far beyond
    /// any exponent that the digits of a text in memory could compensate.
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

fn decimal(cursor: &mut Cursor) -> Option<f64> {
    /// Least significand to which a further digit may not fit in a u64. All numbers of 18 digits are below.
    const FULL: u64 = u64::MAX / 10 - 1;
    let text = cursor.rest;
    let (mut whole, mut exponent, mut more) = (0_u64, 0_i64, false);
    let any = cursor.significand(|c, behind| {
        if !c.is_ascii_digit() {
            return false;
        }
        if whole < FULL {
            whole = whole * 10 + u64::from(c - b'0');
            exponent -= i64::from(behind);
        } else {
            more |= c != b'0';
            exponent += i64::from(!behind);
        }
        true
    });
    if !any {
        return None;
    }
    let significand = text.get(..text.len() - cursor.rest.len()).unwrap_or_default();
    let exponent = exponent + cursor.exponent(b'e');
    let short = if more { None } else { short(whole, exponent) };
    Some(short.unwrap_or_else(|| Decimal { whole, exponent, more, significand }.nearest()))
}

/// `whole * 10^exponent` if both factors are floats: then the processor rounds the product or quotient, once.
#[allow(clippy::cast_precision_loss, reason = "exact: one is at most 2^53, and 5^22 is less")]
fn short(whole: u64, exponent: i64) -> Option<f64> {
    if whole > 1 << 53 || !(-22..=22).contains(&exponent) {
        return None;
    }
    let (whole, fives) = (whole as f64, *FIVES.get(exponent.unsigned_abs() as usize)? as f64);
    let scaled = if exponent < 0 { whole / fives } else { whole * fives };
    // The power of two changes no digit.
    Some(scaled * f64::from_bits(((exponent + 1023) as u64) << 52))
}

/// A decimal number: `whole * 10^exponent`, or, if there are `more` digits, something above it and below
/// `(whole + 1) * 10^exponent`; `whole` is at least `u64::MAX / 10 - 1` then.
struct Decimal<'a> {
    whole: u64,
    exponent: i64,
    more: bool,
    /// All digits, with zeros before them and a point in any place.
    significand: &'a [u8],
}

/// Distance of the powers of five in `STEPS`: as many as fit in 64 bits.
pub(super) const STEP: i32 = 27;
/// Index of `5^0` in `STEPS`.
const STEPS_BELOW: usize = 13;
/// The power of the first of `STEPS`. A whole number of 64 bits times a lower power of ten is less than half
/// of the least float.
pub(super) const EXPONENT_MIN: i32 = -STEP * STEPS_BELOW as i32;
/// First power that is not needed in `STEPS`: any whole number times this power of ten is infinite.
const EXPONENT_END: i32 = EXPONENT_MIN + STEP * STEPS.len() as i32;
/// The leading 64 bits of `5^EXPONENT_MIN` and of further powers in steps of `5^STEP`.
pub(super) const STEPS: [u64; 25] = steps();

const fn steps() -> [u64; 25] {
    const FACTOR: u128 = FIVES[STEP as usize] as u128;
    let mut steps = [1 << 63; 25];
    // 128 bits, and one lost in each step: after thirteen steps the upper 64 are still right.
    let mut bits = 1_u128 << 127;
    let mut i = STEPS_BELOW;
    while i < steps.len() - 1 {
        i += 1;
        bits = (bits >> 64) * FACTOR + (((bits & u64::MAX as u128) * FACTOR) >> 64);
        bits <<= bits.leading_zeros();
        steps[i] = (bits >> 64) as u64;
    }
    bits = 1 << 127;
    let mut i = STEPS_BELOW;
    while i > 0 {
        i -= 1;
        // Long division of the bits and 64 zeros, in digits of 64 bits; the first is 1 to 3.
        let (first, rest) = ((bits >> 64) / FACTOR, (bits >> 64) % FACTOR);
        let dividend = rest << 64 | bits & u64::MAX as u128;
        let (second, rest) = (dividend / FACTOR, dividend % FACTOR);
        let third = (rest << 64) / FACTOR;
        let lead = first.leading_zeros();
        bits = first << lead | second << (lead - 64) | third >> (128 - lead);
        steps[i] = (bits >> 64) as u64;
    }
    steps
}

impl Decimal<'_> {
    fn nearest(&self) -> f64 {
        if self.whole == 0 || self.exponent < i64::from(EXPONENT_MIN) {
            return 0.0;
        }
        if self.exponent >= i64::from(EXPONENT_END) {
            return f64::INFINITY;
        }
        let (low, high) = self.bounds(self.exponent as i32);
        if low.to_bits() == high.to_bits() { low } else { self.decide(low) }
    }

    /// Returns the same float twice, or two neighbours of which one is the nearest.
    fn bounds(&self, exponent: i32) -> (f64, f64) {
        let place = (exponent - EXPONENT_MIN).unsigned_abs();
        let (step, rest) = ((place / STEP as u32) as usize, (place % STEP as u32) as usize);
        let fives = FIVES.get(rest).copied().unwrap_or_default();
        let product = u128::from(self.whole) * u128::from(fives);
        let lead = product.leading_zeros();
        let mut bits = product << lead;
        let mut twos = exponent - lead as i32;
        let power = exponent - rest as i32; // of five, in `STEPS`
        if power != 0 {
            // Both factors are at least 2^63, and less than one below the true ones: the product is less than
            // 2^65 below.
            bits = (bits >> 64) * u128::from(STEPS.get(step).copied().unwrap_or_default());
            twos += 64 + log2_five(power) - 63;
        }
        let (kept, sticky) = ((bits >> 65) as u64, bits << 63 != 0);
        let error = match (self.more, power) {
            // `kept` is below 2^63, `whole` above 2^63 / 5.1: one more there is at most 5.1 here.
            (true, _) => 8,
            (false, 0) => 0,
            (false, _) => 2,
        };
        let twos = i64::from(twos + 65);
        (compose(kept, twos, sticky), compose(kept + error, twos, sticky))
    }

    /// The nearer one of `low` and the float after it, decided by all the digits. A function of its own, so
    /// that the common case does not pay for a kilobyte of stack.
    #[inline(never)]
    fn decide(&self, low: f64) -> f64 {
        let mut room = [0; EXACT_DIGITS_MAX];
        let (half, half_point) = Binary::halfway_above(low).exact(&mut room);
        let mut half = half.iter();
        let mut digits = self.significand.iter().filter(|c| **c != b'.').skip_while(|c| **c == b'0');
        // Where the points stand, behind the first digits of both, says which is larger; then the digits do.
        let count = TENS.iter().take_while(|ten| **ten <= self.whole).count();
        let mut order = (self.exponent + count as i64).cmp(&half_point.into());
        while order == Ordering::Equal {
            let pair = (digits.next(), half.next());
            if pair == (None, None) {
                break;
            }
            order = pair.0.unwrap_or(&b'0').cmp(pair.1.unwrap_or(&b'0'));
        }
        let up = match order {
            Ordering::Less => 0,
            Ordering::Equal => low.to_bits() & 1,
            Ordering::Greater => 1,
        };
        f64::from_bits(low.to_bits() + up)
    }
}

/// The logarithm of `5^power` to base two, rounded down; for the powers in `STEPS`.
pub(super) const fn log2_five(power: i32) -> i32 {
    (power * 152_170) >> 16
}

/// Reads a hexadecimal numeral behind its `0x`; `None` if it has no digit.
fn hexadecimal(cursor: &mut Cursor) -> Option<f64> {
    /// Bound of the significand: below it, another digit fits.
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
    let below = if exponent < -1022 { -1022 - exponent } else { 0 };
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
    let field = if below > 0 { 0 } else { (exponent + 1022) as u64 };
    f64::from_bits((field << 52) + kept + u64::from(up))
}
