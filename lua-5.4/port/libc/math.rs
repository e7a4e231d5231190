//! math.h: functions of the crate `libm` (FreeBSD's), except for those that it does slowly or inexactly:
//! `fmod`, `exp`, `log` and `pow` are implemented here and in `power`.

use super::power;
use core::ffi::c_int;

/// Defines one exported function per line: the C name, its arguments, and the function.
macro_rules! functions {
    ($($name:ident($($argument:ident),*): $function:path;)*) => {$(
        #[cfg_attr(c_symbols, unsafe(no_mangle))]
        pub(crate) extern "C" fn $name($($argument: f64),*) -> f64 {
            $function($($argument),*)
        }
    )*};
}

functions! {
    perilune_exp(x): power::exp;
    perilune_log(x): power::log;
    perilune_log2(x): libm::log2;
    perilune_log10(x): libm::log10;
    perilune_sin(x): libm::sin;
    perilune_cos(x): libm::cos;
    perilune_tan(x): libm::tan;
    perilune_asin(x): libm::asin;
    perilune_acos(x): libm::acos;
    perilune_atan2(y, x): libm::atan2;
}

const FRACTION_BITS: u32 = 52;
const FRACTION: u64 = (1 << FRACTION_BITS) - 1;
const EXPONENT: u64 = 0x7FF << FRACTION_BITS;
const SIGN: u64 = 1 << 63;

/// 2^53. Every whole number up to here is a float, and sums and products of whole numbers that stay below are
/// exact.
pub(super) const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Splits a finite magnitude into `significand * 2^scale`, the scale counted from the smallest one.
fn split(magnitude: u64) -> (u64, u32) {
    let exponent = (magnitude >> FRACTION_BITS) as u32;
    match exponent {
        0 => (magnitude, 0), // a subnormal has no implicit one
        _ => (magnitude & FRACTION | 1 << FRACTION_BITS, exponent - 1),
    }
}

/// Long division on the significands, eleven bits a step (what is left of 64 above 53): exact, and
/// one step for operands of similar size, which is nearly always.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) extern "C" fn perilune_fmod(x: f64, y: f64) -> f64 {
    const STEP: u32 = 63 - FRACTION_BITS;
    let (a, b) = (x.to_bits() & !SIGN, y.to_bits() & !SIGN);
    if a >= EXPONENT || b > EXPONENT || b == 0 {
        return f64::NAN; // x not finite, or y NaN or zero
    }
    if a < b {
        return x;
    }
    let (dividend, high) = split(a);
    let (divisor, low) = split(b);
    let mut remainder = dividend.checked_rem(divisor).unwrap_or(0);
    let mut gap = high - low;
    while gap > 0 && remainder != 0 {
        let step = if gap < STEP { gap } else { STEP };
        remainder = (remainder << step).checked_rem(divisor).unwrap_or(0);
        gap -= step;
    }
    let sign = x.to_bits() & SIGN;
    if remainder == 0 {
        return f64::from_bits(sign);
    }
    // Back to a float: shift the leading one into its place, as far as the exponent allows.
    let room = remainder.leading_zeros() - (63 - FRACTION_BITS);
    let shift = if room < low { room } else { low };
    // The implicit one, where there is one, adds itself to the exponent: `split` took one off.
    let bits = (remainder << shift) + (u64::from(low - shift) << FRACTION_BITS);
    f64::from_bits(sign | bits)
}

/// The power of a whole number with a small whole exponent, as long as every product is exact. So 10^15 is
/// right to the last bit, whatever the general algorithm's error.
#[allow(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "equality asks whether the casts there and back lost anything"
)]
fn exact_power(x: f64, y: f64) -> Option<f64> {
    if !(0.0..=64.0).contains(&y) || x.abs() > EXACT_MAX {
        return None;
    }
    let mut count = y as u32;
    if f64::from(count) != y || (x as i64 as f64) != x {
        return None;
    }
    let (mut result, mut square) = (1.0, x);
    loop {
        if count & 1 != 0 {
            result *= square;
        }
        count >>= 1;
        // `result` only grows, so one look at the end would do; `square` is needed only if used.
        if result.abs() > EXACT_MAX {
            return None;
        }
        if count == 0 {
            return Some(result);
        }
        square *= square;
        if square > EXACT_MAX {
            return None;
        }
    }
}

#[allow(clippy::float_cmp, reason = "a half is exact")]
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) extern "C" fn perilune_pow(x: f64, y: f64) -> f64 {
    // One operation on what is exact is the nearest float.
    if y == 2.0 {
        return x * x;
    }
    if let Some(exact) = exact_power(x, y.abs()) {
        return if y < 0.0 { 1.0 / exact } else { exact };
    }
    if y == -1.0 {
        return 1.0 / x;
    }
    // So is a root. Not for zero and below: C has pow(-0.0, 0.5) = 0.0 and pow(-inf, 0.5) = inf.
    if y == 0.5 && x > 0.0 {
        return x.sqrt();
    }
    power::pow(x, y)
}

/// # Safety
/// `exponent` is writable.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_frexp(x: f64, exponent: *mut c_int) -> f64 {
    let (fraction, scale) = libm::frexp(x);
    // SAFETY: the caller says that `exponent` is writable.
    unsafe { exponent.write(scale) };
    fraction
}

#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) extern "C" fn perilune_ldexp(x: f64, exponent: c_int) -> f64 {
    libm::ldexp(x, exponent)
}
