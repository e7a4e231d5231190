//! Numbers of twice a float's precision: the unevaluated sum of a float and of what rounding it
//! took away. After Dekker (1971) and Knuth; wasm has no fused multiply-add.
//!
//! Out of range (above 2^990, below 2^-960) the lower half is wrong: the callers stay within.

/// `high + low`, and `high` is that sum rounded to nearest.
#[derive(Clone, Copy)]
pub(super) struct Double {
    pub(super) high: f64,
    pub(super) low: f64,
}

/// The exact sum.
pub(super) const fn sum(a: f64, b: f64) -> Double {
    let high = a + b;
    let b_taken = high - a;
    Double { high, low: (a - (high - b_taken)) + (b - b_taken) }
}

/// The exact sum, if `a` is zero or at least as large as `b`.
pub(super) const fn ordered_sum(a: f64, b: f64) -> Double {
    let high = a + b;
    Double { high, low: b - (high - a) }
}

/// Splits a float into two halves of at most 26 bits each, whose products are exact.
const fn halves(a: f64) -> (f64, f64) {
    const SPLITTER: f64 = 134_217_729.0; // 2^27 + 1
    let scaled = a * SPLITTER;
    let high = scaled - (scaled - a);
    (high, a - high)
}

/// The upper 26 bits. Their square is exact, and so is a product with another float of 27 bits.
pub(super) const fn upper_half(a: f64) -> f64 {
    f64::from_bits(a.to_bits() >> 27 << 27)
}

/// The exact product.
pub(super) const fn product(a: f64, b: f64) -> Double {
    let high = a * b;
    let (a_high, a_low) = halves(a);
    let (b_high, b_low) = halves(b);
    let low = ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low;
    Double { high, low }
}

/// The quotient, to about 2^-105 of itself.
pub(super) const fn quotient(a: f64, b: f64) -> Double {
    let high = a / b;
    let back = product(high, b);
    ordered_sum(high, ((a - back.high) - back.low) / b)
}

impl Double {
    pub(super) const ONE: Self = Self { high: 1.0, low: 0.0 };

    /// The product, to about 2^-103 of itself.
    pub(super) const fn times(self, by: Self) -> Self {
        let exact = product(self.high, by.high);
        ordered_sum(exact.high, exact.low + (self.high * by.low + self.low * by.high))
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        let highs = sum(self.high, other.high);
        ordered_sum(highs.high, highs.low + (self.low + other.low))
    }

    pub(super) const fn over(self, by: f64) -> Self {
        let high = self.high / by;
        let back = product(high, by);
        ordered_sum(high, (((self.high - back.high) - back.low) + self.low) / by)
    }

    pub(super) const fn reciprocal(self) -> Self {
        let high = 1.0 / self.high;
        let back = product(high, self.high);
        let missing = ((1.0 - back.high) - back.low) - high * self.low;
        ordered_sum(high, high * missing)
    }

    const fn times_float(self, by: f64) -> Self {
        let exact = product(self.high, by);
        ordered_sum(exact.high, exact.low + self.low * by)
    }

    const fn squared(self) -> Self {
        let exact = product(self.high, self.high);
        ordered_sum(exact.high, exact.low + 2.0 * self.high * self.low)
    }

    /// `base` to the `count`, which is not zero: from its highest bit down, each doubles the
    /// power. Neither the base's powers nor their inverses may leave the range.
    pub(super) fn power(base: f64, count: u32) -> Self {
        let mut result = Self { high: base, low: 0.0 };
        let mut bits = count << count.leading_zeros();
        for _ in 0..count.ilog2() {
            bits <<= 1;
            result = result.squared();
            if bits >> 31 != 0 {
                result = result.times_float(base);
            }
        }
        result
    }

    /// `self * 2^scale` as the nearest float, however small or large. `self` is positive.
    pub(super) fn scaled(self, scale: i32) -> f64 {
        let exponent = (self.high.to_bits() >> 52) as i32 - 1023 + scale;
        if exponent > 1023 {
            return f64::INFINITY;
        }
        if exponent >= -1022 {
            // Already rounded: only the exponent changes.
            return f64::from_bits(self.high.to_bits().wrapping_add_signed(i64::from(scale) << 52));
        }
        if exponent < -1076 {
            return 0.0;
        }
        // A subnormal has fewer bits, and must not be rounded twice. So round both halves at once,
        // by a sum with a number whose last place is what the least float is at this scale.
        let place = two_to(-1074 - scale);
        let large = two_to(52) * place;
        let rounded = sum(large, self.high);
        let multiple = (rounded.high + (rounded.low + self.low)) - large;
        f64::from_bits((multiple / place) as u64)
    }
}

/// 2 to a whole power, which is in the range of exponents of normal floats.
fn two_to(power: i32) -> f64 {
    f64::from_bits(((power + 1023) as u64) << 52)
}
