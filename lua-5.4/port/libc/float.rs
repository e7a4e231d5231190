//! Floats as text: the conversions e, f, g and a of `format`, in both cases of letters, as glibc
//! prints them (C leaves %a some freedom).
//!
//! Not here: what a conversion specification is, and padding (`format`); digits (`decimal`).

use super::decimal::{self, Binary, Round};
use super::format::{OCTAL_DIGITS_MAX, Out, Piece, Spec, Style, cased, write_binary};

/// Prints `value` as `spec` says. `spec.style` must be one of the four of floats.
pub(super) fn print(out: &mut Out, spec: &Spec, value: f64) {
    let sign = spec.sign(value.is_sign_negative());
    if !value.is_finite() {
        let name = if value.is_nan() { b"nan" } else { b"inf" };
        let name = cased(*name, spec.upper);
        return out.pad(&spec.with_spaces(), sign, &[Piece::Bytes(&name)]);
    }
    if let Style::Hex = spec.style {
        return print_hex(out, spec, sign, value);
    }
    let precision = spec.precision.unwrap_or(6);
    let round = match spec.style {
        Style::Fixed => Round::Places(precision),
        Style::General => Round::Significant(if precision == 0 { 1 } else { precision }),
        _ => Round::Significant(precision.saturating_add(1)),
    };
    let Some(binary) = Binary::of(value) else {
        return lay_out(out, spec, sign, round, &[], 1);
    };
    let Some((n, k)) = binary.short(round) else {
        return print_exactly(out, spec, sign, round, binary);
    };
    let mut room = [0; decimal::U64_DIGITS_MAX];
    let digits = &*decimal::write_u64(n, &mut room);
    let point = digits.len() as i32 - k;
    lay_out(out, spec, sign, round, digits, point);
}

/// Prints with the general algorithm. A function of its own, so that the common case does not pay for a
/// kilobyte of stack.
#[inline(never)]
fn print_exactly(out: &mut Out, spec: &Spec, sign: &[u8], round: Round, binary: Binary) {
    let mut room = [0; decimal::EXACT_DIGITS_MAX];
    let (digits, point) = binary.exact(&mut room);
    let (count, point) = decimal::round_digits(digits, point, round);
    lay_out(out, spec, sign, round, digits.get(..count).unwrap_or_default(), point);
}

/// Lays rounded digits out: the decimal point goes after the first `point`, and zeros stand for all
/// digits that are not there. The value zero has no digits, and its point at 1.
#[inline(never)]
fn lay_out(out: &mut Out, spec: &Spec, sign: &[u8], round: Round, digits: &[u8], point: i32) {
    let zeros = digits.iter().rev().take_while(|digit| **digit == b'0').count();
    let digits = digits.split_at_checked(digits.len() - zeros).map_or(digits, |(kept, _)| kept);
    // What rounds to nothing is zero.
    let point = if digits.is_empty() { 1 } else { point };
    let exponent = point - 1;
    match (&spec.style, round) {
        // %g: scientific if the exponent asks for it, and no trailing zeros but with '#'.
        (Style::General, Round::Significant(count)) => {
            let shown = if spec.alternate { count } else { digits.len() };
            if exponent < -4 || usize::try_from(exponent).is_ok_and(|exponent| exponent >= count) {
                scientific(out, spec, sign, digits, exponent, shown.saturating_sub(1));
            } else {
                // `point` is at most `count` here, and at least -3.
                let places = (shown as i64 - i64::from(point)).max(0) as usize;
                fixed(out, spec, sign, digits, point, places);
            }
        }
        (_, Round::Significant(count)) => {
            scientific(out, spec, sign, digits, exponent, count.saturating_sub(1));
        }
        (_, Round::Places(places)) => fixed(out, spec, sign, digits, point, places),
    }
}

fn fixed(out: &mut Out, spec: &Spec, sign: &[u8], digits: &[u8], point: i32, places: usize) {
    let before = usize::try_from(point).unwrap_or(0);
    let after = usize::try_from(-i64::from(point)).unwrap_or(0); // zeros behind the decimal point
    let (whole, fraction) = digits.split_at_checked(before).unwrap_or((digits, &[]));
    let dot: &[u8] = if places > 0 || spec.alternate { b"." } else { b"" };
    let lead = if after < places { after } else { places };
    out.pad(
        spec,
        sign,
        &[
            Piece::Bytes(if before == 0 { b"0" } else { whole }),
            Piece::Zeros(before - whole.len()),
            Piece::Bytes(dot),
            Piece::Zeros(lead),
            Piece::Bytes(fraction),
            Piece::Zeros((places - lead).saturating_sub(fraction.len())),
        ],
    );
}

fn scientific(out: &mut Out, spec: &Spec, sign: &[u8], digits: &[u8], exponent: i32, places: usize) {
    let (whole, fraction) = digits.split_at_checked(1).unwrap_or((b"0", &[]));
    let dot: &[u8] = if places > 0 || spec.alternate { b"." } else { b"" };
    let mut room = [0; EXPONENT_MAX];
    out.pad(
        spec,
        sign,
        &[
            Piece::Bytes(whole),
            Piece::Bytes(dot),
            Piece::Bytes(fraction),
            Piece::Zeros(places.saturating_sub(fraction.len())),
            Piece::Bytes(write_exponent(b'e', spec.upper, exponent, 2, &mut room)),
        ],
    );
}

/// One significand bit, or none, before the point, as many hexadecimal digits as there are behind
/// it, and a binary exponent.
fn print_hex(out: &mut Out, spec: &Spec, sign: &[u8], value: f64) {
    const DIGITS: usize = 13; // of 4 bits: the 52 of a fraction
    const FRACTION: u64 = (1 << 52) - 1;
    let bits = value.to_bits();
    let biased = (bits >> 52) as i32 & 0x7FF;
    let mut significand = bits & FRACTION;
    let exponent = match (biased, significand) {
        (0, 0) => 0,
        (0, _) => -1022, // a subnormal shows its leading zero
        _ => {
            significand |= 1 << 52;
            biased - 1023
        }
    };
    if let Some(precision @ 0..DIGITS) = spec.precision {
        let dropped = 4 * (DIGITS - precision) as u32; // 4 to 52 bits
        let half = 1 << (dropped - 1);
        let rest = significand & (2 * half - 1);
        let kept = significand >> dropped;
        // The digit before the point may become 2, as in glibc.
        significand = (kept + u64::from(rest > half || rest == half && kept & 1 != 0)) << dropped;
    }

    // With a one before it, the fraction has all its digits.
    let fraction = significand & FRACTION | 1 << 52;
    let mut room = [0; OCTAL_DIGITS_MAX];
    let digits = write_binary(fraction, 4, spec.upper, &mut room);
    let shown = DIGITS - fraction.trailing_zeros() as usize / 4;
    let fraction = digits.get(1..=shown).unwrap_or_default();
    let places = spec.precision.unwrap_or(shown);
    let dot: &[u8] = if places > 0 || spec.alternate { b"." } else { b"" };

    // The sign and the 0x stand together before the padding zeros.
    let mut prefix = [0; 3];
    let x = if spec.upper { b'X' } else { b'x' };
    for (to, from) in prefix.iter_mut().zip(sign.iter().chain(&[b'0', x])) {
        *to = *from;
    }
    let prefix = prefix.get(..sign.len() + 2).unwrap_or_default();
    let mut exponent_room = [0; EXPONENT_MAX];
    out.pad(
        spec,
        prefix,
        &[
            Piece::Bytes(&[b'0' + (significand >> 52) as u8]),
            Piece::Bytes(dot),
            Piece::Bytes(fraction),
            Piece::Zeros(places.saturating_sub(fraction.len())),
            Piece::Bytes(write_exponent(b'p', spec.upper, exponent, 1, &mut exponent_room)),
        ],
    );
}

/// Greatest size of an exponent, in bytes: the letter, the sign, and four digits. Exponents go from -1074 to
/// 1023.
const EXPONENT_MAX: usize = 6;

/// Writes an exponent such as `e+05`, with at least `digits_min` digits, to the start of `room`.
fn write_exponent(
    letter: u8,
    upper: bool,
    exponent: i32,
    digits_min: usize,
    room: &mut [u8; EXPONENT_MAX],
) -> &[u8] {
    let magnitude = exponent.unsigned_abs();
    let count = match magnitude {
        0..10 => digits_min,
        10..100 => 2,
        100..1000 => 3,
        _ => 4,
    };
    let [letter] = cased([letter], upper);
    let mut rest = magnitude;
    for place in room.iter_mut().skip(2).take(count).rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    room[0] = letter;
    room[1] = if exponent < 0 { b'-' } else { b'+' };
    room.get(..2 + count).unwrap_or_default()
}
