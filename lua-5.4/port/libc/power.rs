//! `exp`, `log` and `pow`, to within 0.51 units of the last place. A power with a whole exponent of ordinary
//! size is the nearest float, but for a chance of about one in a trillion.
//!
//! All three work in twice a float's precision where it counts, and in floats where what remains
//! is small. The tables are computed by the compiler.

use super::double_double::{Double, ordered_sum, product, quotient, upper_half};

/// ln 2 in two parts. The higher one has 32 bits, so its product with a scale is exact.
const LN_2_HIGH: f64 = f64::from_bits(core::f64::consts::LN_2.to_bits() >> 21 << 21);
const LN_2_LOW: f64 = (core::f64::consts::LN_2 - LN_2_HIGH) + LN_2_REST;
/// ln 2 less the float nearest to it.
const LN_2_REST: f64 = 2.319_046_813_846_299_6e-17;
const LN_2: Double = Double { high: core::f64::consts::LN_2, low: LN_2_REST };

/// `2^(i / ROOTS_COUNT)`, the higher parts of 26 bits.
static ROOTS: [Double; ROOTS_COUNT] = {
    let mut roots = [Double::ONE; ROOTS_COUNT];
    let (mut i, mut step) = (1, 1.0);
    while i < ROOTS_COUNT {
        // The series of exp, which converges fast below ln 2.
        let x = LN_2.times(Double { high: step / STEPS, low: 0.0 });
        let mut n = 28.0;
        while n > 0.0 {
            roots[i] = Double::ONE.plus(roots[i].times(x).over(n));
            n -= 1.0;
        }
        let high = upper_half(roots[i].high);
        roots[i] = Double { high, low: (roots[i].high - high) + roots[i].low };
        i += 1;
        step += 1.0;
    }
    roots
};
const ROOTS_COUNT: usize = 32;
const STEPS: f64 = 32.0; // the same

/// `ln(i / 64)`, from `LOGS_FIRST` on: 64 times the square root of a half, to that of two.
static LOGS: [Double; 47] = {
    let mut logs = [Double { high: 0.0, low: 0.0 }; 47];
    let (mut i, mut argument) = (0, LOGS_FIRST);
    while i < logs.len() {
        // ln((1 + t) / (1 - t)) = 2 (t + t^3/3 + t^5/5 + ...)
        let t = quotient(argument - 64.0, argument + 64.0);
        let square = t.times(t);
        let mut n = 51.0;
        while n > 0.0 {
            logs[i] = logs[i].times(square).plus(Double::ONE.over(n));
            n -= 2.0;
        }
        logs[i] = logs[i].times(t).times(Double { high: 2.0, low: 0.0 });
        i += 1;
        argument += 1.0;
    }
    logs
};
const LOGS_FIRST: f64 = 45.0;

/// A constant that rounds a float to a whole number when it is added; the number is in the lowest bits then.
const ROUNDER: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52

/// The exponential of `x.high + x.low`; `x.high` is no NaN.
fn exp_of(x: Double) -> f64 {
    if x.high.abs() > 800.0 {
        return if x.high > 0.0 { f64::INFINITY } else { 0.0 };
    }
    // x = count * ln(2) / 32 + r, so exp(x) = 2^(count / 32) * exp(r), and |r| < 0.011.
    let shifted = x.high * (STEPS / core::f64::consts::LN_2) + ROUNDER;
    let count = shifted.to_bits() as i32;
    let multiple = shifted - ROUNDER;
    let r = ordered_sum(x.high - multiple * (LN_2_HIGH / STEPS), x.low - multiple * (LN_2_LOW / STEPS));
    let (r, r_low) = (r.high, r.low);
    // exp(r) - 1 - r
    let square = r * r;
    let above = square
        * ((1.0 / 2.0 + r * (1.0 / 6.0))
            + square * ((1.0 / 24.0 + r * (1.0 / 120.0)) + square * (1.0 / 720.0 + r * (1.0 / 5040.0))));
    // root * (1 + r + r_low + above): the largest two products are exact.
    let root = ROOTS[count as usize % ROOTS_COUNT];
    let r_high = upper_half(r);
    let most = ordered_sum(root.high, root.high * r_high);
    let rest = root.high * (((r - r_high) + r_low) + above) + (root.low + root.low * (r + above));
    ordered_sum(most.high, most.low + rest).scaled(count >> ROOTS_COUNT.trailing_zeros())
}

/// A positive finite float as `z * 2^scale`, z between the square roots of a half and of two.
fn centered(x: f64) -> (f64, i32) {
    let (bits, lift) = if x < f64::MIN_POSITIVE {
        ((x * 18_014_398_509_481_984.0).to_bits(), 54) // 2^54
    } else {
        (x.to_bits(), 0)
    };
    // Counted from the root of a half on, the exponent is the scale.
    let offset = bits.wrapping_sub(core::f64::consts::FRAC_1_SQRT_2.to_bits());
    let scale = (offset as i64 >> 52) as i32;
    (f64::from_bits(bits.wrapping_add_signed(-i64::from(scale) << 52)), scale - lift)
}

/// The logarithm of a positive finite float, to about 2^-68 of itself.
fn log_of(x: f64) -> Double {
    let (z, scale) = centered(x);
    // 64 z = nearest * (1 + r) / (1 - r), and |r| < 0.006.
    let z = z * 64.0;
    let index = (z - (LOGS_FIRST - 0.5)) as u32;
    let nearest = f64::from(index) + LOGS_FIRST;
    let Some(log) = LOGS.get(index as usize) else {
        return Double { high: f64::NAN, low: 0.0 }; // never
    };
    let (difference, inverse) = (z - nearest, 1.0 / (z + nearest));
    let r_high = upper_half(difference * inverse);
    // What is left of the division, by products that are exact.
    let z_high = upper_half(z);
    let left = (difference - r_high * (z_high + nearest)) - r_high * (z - z_high);
    let r_low = left * inverse;
    // ln((1 + r) / (1 - r)) = 2 (r + r^3/3 + r^5/5 + ...)
    let r = r_high + r_low;
    let square = r * r;
    let cubic = square
        * r
        * ((2.0 / 3.0 + square * (2.0 / 5.0)) + square * square * (2.0 / 7.0 + square * (2.0 / 9.0)));
    // Each is larger than the next, or zero.
    let scale = f64::from(scale);
    let base = ordered_sum(scale * LN_2_HIGH, log.high);
    let sum = ordered_sum(base.high, 2.0 * r_high);
    let low = (base.low + sum.low) + (scale * LN_2_LOW + log.low) + (2.0 * r_low + cubic);
    ordered_sum(sum.high, low)
}

pub(super) fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    exp_of(Double { high: x, low: 0.0 })
}

pub(super) fn log(x: f64) -> f64 {
    if x > 0.0 && x < f64::INFINITY {
        return log_of(x).high;
    }
    if x == 0.0 {
        f64::NEG_INFINITY
    } else if x < 0.0 {
        f64::NAN
    } else {
        x
    }
}

/// Largest whole exponent that is computed by multiplication. The root of two to this power, and its inverse,
/// are far inside the range of floats.
const MULTIPLIED_MAX: f64 = 1100.0;

/// C's `pow`, including zeros, infinities and NaNs.
#[allow(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "exact values have answers of their own; the casts there and back ask for whole numbers"
)]
#[inline(never)] // What `perilune_pow` answers itself needs no frame.
pub(super) fn pow(x: f64, y: f64) -> f64 {
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if x.is_nan() || y.is_nan() {
        return x + y;
    }
    let magnitude = x.abs();
    let whole = y.abs() >= super::math::EXACT_MAX || (y as i64) as f64 == y;
    let odd = whole && y.abs() < super::math::EXACT_MAX && y as i64 & 1 != 0;
    let sign = if odd && x.is_sign_negative() { -1.0 } else { 1.0 };
    if magnitude == 0.0 || magnitude == f64::INFINITY {
        return if (magnitude == 0.0) == (y < 0.0) { sign * f64::INFINITY } else { sign * 0.0 };
    }
    if x < 0.0 && !whole {
        return f64::NAN;
    }
    if whole && y.abs() <= MULTIPLIED_MAX {
        let (z, scale) = centered(magnitude);
        let power = Double::power(z, y.abs() as u32);
        let power = if y < 0.0 { power.reciprocal() } else { power };
        return sign * power.scaled(scale * y as i32);
    }
    if magnitude == 1.0 {
        return sign;
    }
    // Beyond, every answer is zero or infinite: no logarithm is below 2^-54.
    let y = y.clamp(-18_446_744_073_709_551_616.0, 18_446_744_073_709_551_616.0); // 2^64
    let log = log_of(magnitude);
    let exponent = product(log.high, y);
    sign * exp_of(ordered_sum(exponent.high, exponent.low + log.low * y))
}
