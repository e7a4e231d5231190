//! The decimal digits of a float, correctly rounded (to nearest, ties to even) at any place.
//!
//! There are two algorithms with the same results. The short one scales the float to a whole number in one
//! wide multiplication or division; that is exact, and works for up to 18 digits of anything between about
//! 1e-14 and 1e19. The general one computes all digits of the float: every float is a whole number over a
//! power of ten (m * 2^-q = m * 5^q / 10^q), at most 767 digits long, so rounding only has to look at them.
//! No digit comes from an approximation.
//!
//! The general algorithm also serves `parse`, which compares a text with the point halfway between two
//! floats.
//!
//! Not here: signs, zero, infinities and NaN (`float` has them), and how digits are laid out.

const LIMB: u32 = 1_000_000_000;
const LIMB_DIGITS: usize = 9;
/// Number of limbs, of 9 digits, that hold any float or halfway point: the longest float, just under 2^-1022,
/// has 767 digits, and a point halfway to the next 768. That is 86 limbs; one is spare.
const LIMBS_MAX: usize = 87;
pub(super) const EXACT_DIGITS_MAX: usize = LIMBS_MAX * LIMB_DIGITS;
/// The digits of `u64::MAX`.
pub(super) const U64_DIGITS_MAX: usize = 20;

/// `5^0 ..= 5^27`: what fits in 64 bits.
pub(super) const FIVES: [u64; 28] = powers(5);
/// `10^0 ..= 10^19`: what fits in 64 bits.
pub(super) const TENS: [u64; 20] = powers(10);

const fn powers<const N: usize>(base: u64) -> [u64; N] {
    let mut powers = [1; N];
    let mut i = 1;
    while i < N {
        powers[i] = powers[i - 1] * base;
        i += 1;
    }
    powers
}

/// The place of rounding: after a number of digits, or after a number of places behind the decimal point.
#[derive(Clone, Copy)]
pub(super) enum Round {
    Significant(usize),
    Places(usize),
}

/// A positive finite float: `significand * 2^exponent`, the significand not zero.
#[derive(Clone, Copy)]
pub(super) struct Binary {
    significand: u64,
    exponent: i32,
}

impl Binary {
    /// The magnitude of `value`; None for zero, infinities and NaN.
    pub(super) fn of(value: f64) -> Option<Self> {
        const FRACTION: u64 = (1 << 52) - 1;
        let fraction = value.to_bits() & FRACTION;
        match (value.to_bits() >> 52) as i32 & 0x7FF {
            0x7FF => None,
            0 if fraction == 0 => None,
            0 => Some(Self { significand: fraction, exponent: -1074 }),
            biased => Some(Self { significand: fraction | 1 << 52, exponent: biased - 1075 }),
        }
    }

    /// Halfway between `value`, which is finite and not negative, and the float after it.
    pub(super) fn halfway_above(value: f64) -> Self {
        let (significand, exponent) = Self::of(value).map_or((0, -1074), |b| (b.significand, b.exponent));
        Self { significand: 2 * significand + 1, exponent: exponent - 1 }
    }

    /// The short algorithm: returns a whole number `n` and `k` such that the rounded value is `n / 10^k`, or
    /// `None` if it does not apply.
    pub(super) fn short(self, round: Round) -> Option<(u64, i32)> {
        let digits = match round {
            Round::Places(places) => {
                let k = i32::try_from(places).ok()?;
                return Some((self.scaled(k)?, k));
            }
            Round::Significant(digits) => digits,
        };
        let limit = *TENS.get(digits)?;
        // The power of ten below the value, or one less: log10(2) = 315653 / 2^20, near enough for
        // every exponent of a float. One less means one digit too many.
        let log2 = self.exponent + 63 - self.significand.leading_zeros() as i32;
        let log10 = (log2 * 315_653) >> 20;
        let k = digits as i32 - 1 - log10;
        match self.scaled(k)? {
            n if n < limit => Some((n, k)),
            // Also when 9.99 became 10.0: asked for one digit less, it becomes 10.
            _ => Some((self.scaled(k - 1)?, k - 1)),
        }
    }

    /// `self * 10^k`, rounded to a whole number. None if that, or what it takes, is too wide.
    fn scaled(self, k: i32) -> Option<u64> {
        if k < 0 {
            return self.divided(*TENS.get(k.unsigned_abs() as usize)?);
        }
        let product = u128::from(self.significand) * u128::from(*FIVES.get(k as usize)?);
        let shift = self.exponent + k; // the twos of 10^k
        if shift >= 0 {
            let whole = u64::try_from(product).ok()?;
            return (shift.unsigned_abs() <= whole.leading_zeros()).then(|| whole << shift);
        }
        let shift = shift.unsigned_abs();
        if shift > 127 {
            return Some(0); // the product has at most 116 bits: less than a half
        }
        let whole = u64::try_from(product >> shift).ok()?;
        let rest = product << (128 - shift); // as a fraction of 2^128
        let half = 1 << 127;
        whole.checked_add(u64::from(rest > half || rest == half && whole & 1 != 0))
    }

    /// `self / divisor`, rounded to a whole number. None if that takes more than 64 bits.
    fn divided(self, divisor: u64) -> Option<u64> {
        let shift = self.exponent.unsigned_abs();
        let widened = |n: u64| (shift <= n.leading_zeros()).then(|| n << shift);
        let (dividend, divisor) = match self.exponent {
            0.. => (widened(self.significand)?, divisor),
            _ => (self.significand, widened(divisor)?),
        };
        let whole = dividend.checked_div(divisor)?;
        let rest = dividend - whole * divisor;
        let other = divisor - rest;
        Some(whole + u64::from(rest > other || rest == other && whole & 1 != 0))
    }

    /// The general algorithm: returns all digits, written to the end of `room`, and the place of the decimal
    /// point (the number of digits before it; negative if zeros stand between it and the first).
    pub(super) fn exact(self, room: &mut [u8; EXACT_DIGITS_MAX]) -> (&mut [u8], i32) {
        let twos = self.significand.trailing_zeros();
        let exponent = self.exponent + twos as i32;
        let mut limbs = Limbs { values: [0; LIMBS_MAX], used: 0 };
        limbs.add_top(self.significand >> twos);
        let (base, power, places) = match exponent {
            0.. => (2, 31, 0),
            _ => (5, 13, exponent),
        };
        // Both 2^31 and 5^13 are about as wide as a factor may be.
        let mut left = exponent.unsigned_abs();
        while left > 0 {
            let step = if left < power { left } else { power };
            limbs.multiply(u32::wrapping_pow(base, step));
            left -= step;
        }
        let digits = limbs.write(room);
        let point = digits.len() as i32 + places;
        (digits, point)
    }
}

/// A natural number in base 10^9, lowest limb first.
struct Limbs {
    values: [u32; LIMBS_MAX],
    used: usize,
}

impl Limbs {
    fn multiply(&mut self, factor: u32) {
        let mut carry = 0;
        for limb in self.values.iter_mut().take(self.used) {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            carry = product / u64::from(LIMB);
            *limb = (product % u64::from(LIMB)) as u32;
        }
        self.add_top(carry);
    }

    fn add_top(&mut self, mut carry: u64) {
        while carry > 0 {
            if let Some(limb) = self.values.get_mut(self.used) {
                *limb = (carry % u64::from(LIMB)) as u32;
            }
            self.used += 1;
            carry /= u64::from(LIMB);
        }
    }

    /// The digits, without leading zeros, at the end of `room`.
    fn write<'a>(&self, room: &'a mut [u8; EXACT_DIGITS_MAX]) -> &'a mut [u8] {
        let used = self.values.iter().take(self.used);
        for (limb, chunk) in used.zip(room.rchunks_exact_mut(LIMB_DIGITS)) {
            let mut rest = *limb;
            for digit in chunk.iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        let unused = room.len().saturating_sub(self.used * LIMB_DIGITS);
        let digits = room.get_mut(unused..).unwrap_or_default();
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.get_mut(zeros..).unwrap_or_default()
    }
}

/// Rounds `digits` (with the decimal point after the first `point`) in place: returns how many
/// digits remain, and where the point is now.
pub(super) fn round_digits(digits: &mut [u8], point: i32, round: Round) -> (usize, i32) {
    let wanted = match round {
        Round::Significant(count) => i64::try_from(count).unwrap_or(i64::MAX),
        Round::Places(count) => i64::try_from(count).unwrap_or(i64::MAX).saturating_add(i64::from(point)),
    };
    let Ok(wanted) = usize::try_from(wanted) else {
        return (0, 1); // the place lies above the first digit by one at least: rounds to zero
    };
    let Some((kept, dropped)) = digits.split_at_mut_checked(wanted) else {
        return (digits.len(), point);
    };
    let odd = kept.last().is_some_and(|digit| digit & 1 != 0);
    let up = match dropped.split_first() {
        Some((b'5', rest)) => odd || rest.iter().any(|digit| *digit != b'0'),
        Some((first, _)) => *first > b'5',
        None => false,
    };
    if !up {
        return (wanted, point);
    }
    // Nines become zeros, which need not be written, and the digit before them grows.
    for (place, digit) in kept.iter_mut().enumerate().rev() {
        if *digit != b'9' {
            *digit += 1;
            return (place + 1, point);
        }
    }
    if let Some(first) = digits.first_mut() {
        *first = b'1';
    }
    (1, point + 1)
}

/// The digits of `n`, none for zero, at the end of `room`.
pub(super) fn write_u64(mut n: u64, room: &mut [u8; U64_DIGITS_MAX]) -> &mut [u8] {
    let mut start = room.len();
    let mut places = room.rchunks_exact_mut(2);
    // Eight digits at a time: 64-bit division costs several times what the 32-bit one does.
    while n > 0 {
        let mut low = (n % 100_000_000) as u32;
        n /= 100_000_000;
        let mut pairs = 4;
        while pairs > 0 && (n > 0 || low > 0) {
            let Some([tens, ones]) = places.next() else {
                break;
            };
            let pair = (low % 100) as u8;
            low /= 100;
            *tens = b'0' + pair / 10;
            *ones = b'0' + pair % 10;
            start -= 2;
            pairs -= 1;
        }
    }
    // A last pair of one digit has a zero before it.
    start += usize::from(room.get(start) == Some(&b'0'));
    room.get_mut(start..).unwrap_or_default()
}
