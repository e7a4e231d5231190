//! Comparison of this libc's `strtod`, `snprintf` and math with the system's, over many pseudo-random values
//! and the edges of floats. The expected values are those of glibc, so these tests need glibc.

use core::ffi::{c_char, c_int, c_void};
use std::ffi::{CStr, CString};

use super::format::{
    perilune_format_cint, perilune_format_double, perilune_format_int, perilune_format_ptr,
    perilune_format_str, perilune_print_integer, perilune_print_number,
};
use super::math;
use super::parse::{self, perilune_strtod};

mod system {
    use core::ffi::{c_char, c_int};
    unsafe extern "C" {
        pub(super) fn snprintf(buf: *mut c_char, size: usize, fmt: *const c_char, ...) -> c_int;
        pub(super) fn strtod(text: *const c_char, end: *mut *mut c_char) -> f64;
        pub(super) safe fn fmod(x: f64, y: f64) -> f64;
        pub(super) safe fn pow(x: f64, y: f64) -> f64;
        pub(super) safe fn exp(x: f64) -> f64;
        pub(super) safe fn log(x: f64) -> f64;
        pub(super) safe fn log2(x: f64) -> f64;
        pub(super) safe fn log10(x: f64) -> f64;
        pub(super) safe fn sin(x: f64) -> f64;
        pub(super) safe fn cos(x: f64) -> f64;
        pub(super) safe fn tan(x: f64) -> f64;
        pub(super) safe fn asin(x: f64) -> f64;
        pub(super) safe fn acos(x: f64) -> f64;
        pub(super) safe fn atan2(y: f64, x: f64) -> f64;
        pub(super) safe fn ldexp(x: f64, exponent: c_int) -> f64;
        pub(super) fn frexp(x: f64, exponent: *mut c_int) -> f64;
    }
}

/// The generator xorshift64*, which gives the same values in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 8) % limit
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }

    /// Floats of every kind: all bit patterns, and the ones that programs really have.
    fn float(&mut self) -> f64 {
        let sign = if self.below(4) == 0 { -1.0 } else { 1.0 };
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        sign * match self.below(9) {
            0 | 1 => f64::from_bits(self.next()),
            2 => unit,
            3 => unit * 10_f64.powi(self.below(40) as i32 - 20),
            4 => (self.next() >> 11 >> self.below(53)) as f64,
            // Decimals of few places, and halves of them: where rounding ties lie.
            5 => self.below(1_000_000) as f64 / *self.pick(&[10.0, 100.0, 1000.0, 1e4]),
            6 => self.below(1 << 20) as f64 / (1_u64 << self.below(12)) as f64,
            7 => 10_f64.powi(self.below(60) as i32 - 30),
            // Neighbours of powers of ten, where an estimate of the exponent would err.
            _ => {
                let ten: f64 = format!("1e{}", self.below(615) as i32 - 307).parse().unwrap();
                f64::from_bits(ten.to_bits().wrapping_add(self.below(5)).wrapping_sub(2))
            }
        }
    }
}

fn edges() -> Vec<f64> {
    let mut edges = vec![
        0.0,
        1.0,
        0.5,
        1.5,
        2.5,
        0.125,
        0.25,
        0.1,
        0.3,
        9.5,
        99.5,
        9.9999995,
        0.00001,
        0.0001,
        0.000099999995,
        123456.5,
        1e14,
        99999999999999.5,
        999999999999995.0,
        1e15,
        1e16,
        1e17,
        1e21,
        1e22,
        1e23,
        1e100,
        1e308,
        5e-324,
        1e-320,
        2.2250738585072009e-308,
        9007199254740991.0,
        9007199254740992.0,
        9007199254740993.0,
        18446744073709551616.0,
        18446744073709549568.0,
        9223372036854775808.0,
        f64::MAX,
        f64::MIN_POSITIVE,
        f64::EPSILON,
        f64::INFINITY,
        f64::NAN,
        8.5,
        0.5e-14,
        1e-14,
        1e-13,
        1e19,
        1e20,
        f64::from_bits(1),
        f64::from_bits((1 << 52) - 1),
    ];
    edges.extend(edges.clone().iter().map(|edge| -edge));
    edges
}

const SENTINEL: u8 = 0xAB;

/// Runs one formatter on a buffer of `size` bytes, and checks that it wrote nothing behind it.
fn run(size: usize, write: impl FnOnce(*mut c_char, usize) -> c_int) -> (Vec<u8>, c_int) {
    let mut buffer = vec![SENTINEL; size + 16];
    let length = write(buffer.as_mut_ptr().cast(), size);
    assert!(buffer[size..].iter().all(|byte| *byte == SENTINEL), "wrote past its size");
    let written = (length as usize + 1).min(size);
    assert!(size == 0 || buffer[written - 1] == 0, "no NUL");
    assert!(buffer[written..].iter().all(|byte| *byte == SENTINEL), "wrote past its NUL");
    buffer.truncate(written);
    (buffer, length)
}

/// Checks that this libc's result and the system's are equal, in a large buffer and in one of `size` bytes.
macro_rules! same {
    ($ours:ident, $fmt:expr, $value:expr, $size:expr) => {{
        let fmt: &CStr = $fmt;
        for size in [6000, $size] {
            // SAFETY: `run` gives a buffer of `size` bytes; the format is a C string, and its one
            // conversion is of the value's type.
            let ours = run(size, |buf, size| unsafe { $ours(buf, size, fmt.as_ptr(), $value) });
            // SAFETY: as above.
            let theirs = run(size, |buf, size| unsafe { system::snprintf(buf, size, fmt.as_ptr(), $value) });
            assert!(
                ours == theirs,
                "{fmt:?} of {:?}, size {size}:\n ours   {:?} {}\n theirs {:?} {}",
                $value,
                String::from_utf8_lossy(&ours.0),
                ours.1,
                String::from_utf8_lossy(&theirs.0),
                theirs.1
            );
        }
    }};
}

/// True if glibc 2.36 would print this value wrongly: it loses zeros that `#` must keep when a %g rounds up
/// to a power of ten and so becomes scientific. It prints 99.5 by `%#.2g` as `1.e+02`; C requires `1.0e+02`,
/// which this libc prints.
fn glibc_forgets_zeros(fmt: &CStr, value: f64) -> bool {
    let fmt = fmt.to_str().unwrap();
    if !fmt.contains('#') || !fmt.contains(['g', 'G']) || !value.is_finite() || value == 0.0 {
        return false;
    }
    let precision = fmt.split_once('.').map_or(6, |(_, rest)| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
        digits.parse().unwrap_or(0)
    });
    let rounded = format!("{:.*e}", precision.max(1_usize) - 1, value.abs());
    let (digits, _) = rounded.split_once('e').unwrap();
    digits.bytes().all(|byte| b"1.0".contains(&byte)) && rounded.parse::<f64>().unwrap() > value.abs()
}

/// A specification with random flags, width and precision.
fn specification(random: &mut Random, flags: &str, precision_max: u64, conversion: &str) -> CString {
    let mut fmt = String::from(*random.pick(&["", "", "", "p", "a%%b "]));
    fmt.push('%');
    for flag in flags.chars() {
        if random.below(4) == 0 {
            fmt.push(flag);
        }
    }
    if random.below(2) == 0 {
        fmt += &(1 + random.below(40)).to_string();
    }
    match random.below(8) {
        0..4 => {}
        4 => fmt += ".",
        _ => fmt += &format!(".{}", random.below(precision_max)),
    }
    fmt += conversion;
    fmt += *random.pick(&["", "", "x", "%%", "-e"]);
    CString::new(fmt).unwrap()
}

#[test]
fn floats_at_the_edges_in_every_conversion() {
    let mut count = 0;
    for value in edges() {
        for letter in ["e", "E", "f", "F", "g", "G", "a", "A"] {
            for flags in ["", "#", "+", " ", "0", "-", "+#0"] {
                for precision in ["", ".", ".0", ".1", ".2", ".3", ".14", ".17", ".20", ".99"] {
                    for width in ["", "7", "30"] {
                        let fmt = format!("%{flags}{width}{precision}{letter}");
                        let fmt = CString::new(fmt).unwrap();
                        if !glibc_forgets_zeros(&fmt, value) {
                            same!(perilune_format_double, &fmt, value, 10);
                            count += 1;
                        }
                    }
                }
            }
        }
    }
    println!("{count} comparisons");
}

#[test]
fn floats_as_lua_prints_them() {
    let mut random = Random(1);
    for round in 0..400_000 {
        let value = random.float();
        let fmt = *random.pick(&[c"%.14g", c"%.14g", c"%.17g", c"%.16g", c"%.15g", c"%.2f", c"%f"]);
        same!(perilune_format_double, fmt, value, (round % 40) as usize);
    }
}

#[test]
fn floats_in_any_format() {
    let mut random = Random(2);
    for _ in 0..400_000 {
        let value = random.float();
        let letter = *random.pick(&["e", "E", "f", "F", "g", "G", "a", "A", "g", "f", "lf", "Lg"]);
        let letter = letter.trim_start_matches('L'); // L would be another type in C
        let limit = *random.pick(&[5, 20, 99, 1200]);
        let fmt = specification(&mut random, "-+ #0", limit, letter);
        let size = random.below(60) as usize;
        if !glibc_forgets_zeros(&fmt, value) {
            same!(perilune_format_double, &fmt, value, size);
        }
    }
}

#[test]
fn exact_ties_go_to_even() {
    let cases = [
        (c"%.0f", 0.5, c"0"),
        (c"%.0f", 1.5, c"2"),
        (c"%.0f", 2.5, c"2"),
        (c"%.1f", 0.25, c"0.2"),
        (c"%.1f", 0.75, c"0.8"),
        (c"%.2e", 1.125, c"1.12e+00"),
        (c"%.3g", 1.0625, c"1.06"),
        (c"%.0a", 1.5, c"0x2p+0"),
        (c"%#.2g", 99.5, c"1.0e+02"),
        (c"%#g", 999_999.999_999_999_9, c"1.00000e+06"),
        (c"%.14g", 0.1, c"0.1"),
        (c"%.14g", core::f64::consts::PI, c"3.1415926535898"),
        (c"%.14g", 1e15, c"1e+15"),
        (c"%.14g", -0.0, c"-0"),
        (c"%.14g", -f64::NAN, c"-nan"),
        (c"%.14G", -f64::INFINITY, c"-INF"),
    ];
    for (fmt, value, expected) in cases {
        // SAFETY: `run` gives a buffer of `size` bytes, and the formats are of floats.
        let (text, _) =
            run(64, |buf, size| unsafe { perilune_format_double(buf, size, fmt.as_ptr(), value) });
        assert_eq!(CStr::from_bytes_with_nul(&text).unwrap(), expected, "{fmt:?} {value}");
    }
}

#[test]
fn integers_in_any_format() {
    let mut random = Random(3);
    for round in 0..300_000 {
        let (letter, flags) = *random.pick(&[
            ("d", "-+ 0"),
            ("i", "-+ 0"),
            ("u", "-0"),
            ("o", "-#0"),
            ("x", "-#0"),
            ("X", "-#0"),
        ]);
        let value = match round % 4 {
            0 => random.next() as i64,
            1 => random.below(1000) as i64 - 500,
            2 => *random.pick(&[0, 1, -1, 7, 8, 100, i64::MAX, i64::MIN, 1 << 32]),
            _ => (random.next() >> random.below(64)) as i64,
        };
        let size = random.below(40) as usize;
        let fmt = specification(&mut random, flags, 60, &format!("ll{letter}"));
        same!(perilune_format_int, &fmt, value, size);
        let fmt = specification(&mut random, flags, 60, letter);
        same!(perilune_format_cint, &fmt, value as c_int, size);
    }
    for value in 0..256 {
        for fmt in [c"%c", c"%5c|", c"%-5c|", c"\\%d", c"\\%03d", c"p%+d", c"%%%i%%"] {
            same!(perilune_format_cint, fmt, value as c_int, 4);
        }
    }
}

#[test]
fn strings_and_pointers() {
    for text in [c"", c"a", c"hello", c"h\xC3\xA9llo\x01", c"a longer text than any width of these"] {
        for fmt in [c"%s", c"%10s|", c"%-10s|", c"%.3s", c"%-6.2s|", c"<%.0s>", c"%.s", c"a%%%s%%"] {
            for size in [0, 1, 2, 5, 12] {
                same!(perilune_format_str, fmt, text.as_ptr(), size);
            }
        }
    }
    // A precision bounds what is read: no NUL is needed then.
    let bare = *b"abc";
    // SAFETY: three bytes are readable, and the precision says three.
    let (text, _) = run(16, |buf, size| unsafe {
        perilune_format_str(buf, size, c"%.3s".as_ptr(), bare.as_ptr().cast())
    });
    assert_eq!(text, b"abc\0");
    for address in [0_usize, 1, 0xABCDEF, usize::MAX] {
        let pointer = core::ptr::without_provenance::<c_void>(address);
        for fmt in [c"%p", c"%20p|", c"%-20p|", c"at %p."] {
            same!(perilune_format_ptr, fmt, pointer, 8);
        }
    }
}

#[test]
fn tostring_of_numbers_is_as_its_format() {
    let mut random = Random(41);
    let mut floats = edges();
    floats.extend((0..200_000).map(|_| random.float()));
    for value in floats {
        // SAFETY: the buffer has the size that is given.
        let theirs = run(44, |buf, size| unsafe { system::snprintf(buf, size, c"%.14g".as_ptr(), value) });
        // SAFETY: as above.
        let ours = run(44, |buf, size| unsafe { perilune_print_number(buf, size, value) });
        assert_eq!(ours, theirs, "{value:e}");
    }
    let edges = [0, 1, -1, 9, 10, 99, 100, 99_999_999, 100_000_000, i64::MIN, i64::MIN + 1, i64::MAX];
    for value in
        edges.into_iter().chain((0..100_000).map(|_| (random.next() >> random.below(64)).cast_signed()))
    {
        for value in [value, value.wrapping_neg()] {
            // SAFETY: the buffer has the size that is given.
            let theirs = run(21, |buf, size| unsafe { system::snprintf(buf, size, c"%lld".as_ptr(), value) });
            // SAFETY: the buffer has the 21 bytes that it asks for.
            let ours = run(21, |buf, _| unsafe { perilune_print_integer(buf, value) });
            assert_eq!(ours, theirs, "{value}");
        }
    }
}

#[test]
fn what_c_leaves_undefined_is_text() {
    let cases = [(c"%s", c"%s"), (c"%", c"%"), (c"%5", c"%5"), (c"%d %d", c"7 %d"), (c"%y", c"%y")];
    for (fmt, expected) in cases {
        // SAFETY: `run` gives a buffer of `size` bytes, and the format is a C string.
        let (text, _) = run(64, |buf, size| unsafe { perilune_format_int(buf, size, fmt.as_ptr(), 7) });
        assert_eq!(CStr::from_bytes_with_nul(&text).unwrap(), expected);
    }
    // A length beyond an int is an error; nothing is written past the buffer on the way.
    // SAFETY: as above.
    let (_, length) = run_unchecked(8, |buf, size| unsafe {
        perilune_format_int(buf, size, c"%99999999999999999999d".as_ptr(), 7)
    });
    assert_eq!(length, -1);
}

/// Runs a formatter like `run`, for results that are not a length.
fn run_unchecked(size: usize, write: impl FnOnce(*mut c_char, usize) -> c_int) -> (Vec<u8>, c_int) {
    let mut buffer = vec![SENTINEL; size + 16];
    let answer = write(buffer.as_mut_ptr().cast(), size);
    assert!(buffer[size..].iter().all(|byte| *byte == SENTINEL), "wrote past its size");
    (buffer, answer)
}

/// Checks that this libc's `strtod` and the system's give the same bits and the same end.
fn same_float(text: &str) {
    let c = CString::new(text).unwrap();
    let read = |strtod: unsafe extern "C" fn(*const c_char, *mut *mut c_char) -> f64| {
        let mut end = core::ptr::null_mut();
        // SAFETY: `c` ends in NUL, `end` is writable.
        let value = unsafe { strtod(c.as_ptr(), &raw mut end) };
        (value.to_bits(), end as usize - c.as_ptr() as usize)
    };
    let (ours, theirs) = (read(perilune_strtod), read(system::strtod));
    let shown = text.get(..200).unwrap_or(text);
    assert_eq!((f64::from_bits(ours.0), ours), (f64::from_bits(theirs.0), theirs), "{shown:?}");
}

#[test]
fn numerals_at_the_edges() {
    let long_tie = format!("{}.5", "9007199254740992");
    let nines = "9".repeat(400);
    let deep = format!("0.{}1", "0".repeat(400));
    let far_down = format!("0.{}1e400", "0".repeat(400));
    let far_up = format!("1{}e-400", "0".repeat(400));
    let sticky = format!("1.00000000000000011102230246251565{}1", "0".repeat(900));
    let hex_sticky = format!("0x1.00000000000008{}1", "0".repeat(60));
    let hex_long = format!("0x{}p-1200", "f".repeat(300));
    let hex_deep = format!("0x0.{}1p1600", "0".repeat(400));
    // The digits of 2^-1074 and of half of it: all 751 and 752 of them.
    let least = format!("{:.1074}", f64::from_bits(1));
    let half_least = {
        let mut text = format!("{:.1080}", f64::from_bits(1));
        text.truncate(text.len() - 2);
        text
    };
    let texts = [
        "",
        " ",
        "+",
        "-",
        ".",
        "e5",
        ".e5",
        "abc",
        "0",
        "-0",
        "+0",
        "5.",
        ".5",
        "5.e1",
        "1e",
        "1e+",
        "1e-",
        "1ex",
        "1e5x",
        "  \t\n\x0b\x0c\r12 ",
        "- 1",
        "--1",
        "+-1",
        "1..2",
        "1.2.3",
        "1_000",
        "1e400",
        "1e-400",
        "-1e400",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "0e99999999999999999999",
        "0.0e-5",
        "00001.5000",
        "1e+0005",
        "1E5",
        "1e22",
        "1e23",
        "1e15",
        "9007199254740993",
        "9007199254740992",
        "9007199254740991e22",
        "9007199254740995",
        "18446744073709551615",
        "18446744073709551616",
        "1844674407370955161",
        "99999999999999999999",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "0.1",
        "0.30000000000000004",
        "0x",
        "0X",
        "0x.",
        "0xg",
        "0xp1",
        "0x.p1",
        "-0x",
        "0x1",
        "0xA",
        "0XaF",
        "0x1.8p3",
        "0x1.8P+3",
        "0x.1",
        "0x1.",
        "0x1p",
        "0x1p+",
        "0x1p-x",
        "0x1e5",
        "0x1.8p-1074",
        "0x1p-1074",
        "0x1p-1075",
        "0x1.0000000000001p-1075",
        "0x0.8p-1074",
        "0x0.8000000000001p-1074",
        "0x1.8p-1075",
        "0x1.fffffffffffff8p1023",
        "0x1.fffffffffffff7p1023",
        "0x1p1024",
        "0x1p-99999999999999999999",
        "0x1p99999999999999999999",
        "0x0p99999999999999999999",
        "0x1.00000000000008",
        "-0x0p0",
        "0x1.00000000000018",
        "0x1.000000000000080000000001",
        "0x1.fffffffffffffp-1023",
        "0x0.fffffffffffff8p-1022",
        "0x123456789abcdef01234",
        "0xffffffffffffffff",
        "0x0x1",
        "0x-1",
        "0x1.0000000000000800000000000000000000000001",
        "0x8000000000000400p0",
        &long_tie,
        &nines,
        &deep,
        &far_down,
        &far_up,
        &sticky,
        &hex_sticky,
        &hex_long,
        &hex_deep,
        &least,
        &half_least,
    ];
    for text in texts {
        same_float(text);
    }
}

#[test]
fn inf_and_nan_are_no_numerals() {
    for text in [c"inf", c"nan", c"-inf", c"infinity", c"NAN(1)"] {
        let mut end = core::ptr::null_mut();
        // SAFETY: a C string, and a writable end; also without one.
        let value = unsafe { perilune_strtod(text.as_ptr(), &raw mut end) };
        assert_eq!((value, end.cast_const()), (0.0, text.as_ptr()));
        // SAFETY: as above.
        let value = unsafe { perilune_strtod(text.as_ptr(), core::ptr::null_mut()) };
        assert_eq!(value.to_bits(), 0);
    }
}

#[test]
fn numerals_that_print_floats() {
    let mut random = Random(4);
    for _ in 0..400_000 {
        let value = random.float();
        if !value.is_finite() {
            continue;
        }
        match random.below(6) {
            0 => same_float(&format!("{value}")),
            1 => same_float(&format!("{value:e}")),
            2 => same_float(&format!("{value:.14e}")),
            3 => same_float(&format!("{value:.20e}")),
            4 => same_float(&format!("{value:.3}")),
            _ => same_float(&format!("{value:.16e}")),
        }
    }
}

/// The exact decimal numeral halfway between `value` and the float after it: digits, and how many stand
/// behind the point.
fn halfway(value: f64) -> (String, i64) {
    // Twice the fraction bits and one more, times 2^-1075 or a power above: (2 s + 1) * 2^e.
    let bits = value.abs().to_bits();
    let (biased, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
    let (significand, exponent) = match biased {
        0 => (fraction, -1075),
        _ => (fraction | 1 << 52, biased - 1076),
    };
    let mut limbs = vec![2 * significand + 1];
    let (factor, count) = if exponent < 0 { (5, -exponent) } else { (2, exponent) };
    let mut times = |factor: u64| {
        let mut carry = 0;
        for limb in &mut limbs {
            let product = u128::from(*limb) * u128::from(factor) + carry;
            *limb = (product % 10_u128.pow(18)) as u64;
            carry = product / 10_u128.pow(18);
        }
        if carry > 0 {
            limbs.push(carry as u64);
        }
    };
    let mut left = count;
    while left > 0 {
        times(u64::pow(factor, left.min(20) as u32));
        left -= 20;
    }
    let mut text = String::new();
    for limb in limbs.iter().rev() {
        text += &format!("{limb:018}");
    }
    (text.trim_start_matches('0').into(), if exponent < 0 { count.into() } else { 0 })
}

/// Writes `digits * 10^-places`, with the point in a random place and an exponent that compensates it.
fn written(random: &mut Random, digits: &str, places: i64) -> String {
    let mut text = String::from(*random.pick(&["", "", "", "-", "0", "000"]));
    let start = text.len();
    text += digits;
    let behind = match random.below(5) {
        0 => 0,
        1 => digits.len() as i64 - 1,
        2 => -(random.below(30) as i64),
        3 => digits.len() as i64 + random.below(30) as i64,
        _ => random.below(digits.len() as u64) as i64,
    };
    if behind < 0 {
        text += &"0".repeat(behind.unsigned_abs() as usize);
    } else {
        let zeros = (behind as usize).saturating_sub(digits.len());
        text.insert_str(start, &"0".repeat(zeros));
        text.insert(text.len() - behind as usize, '.');
    }
    match behind - places {
        0 => {}
        exponent => text += &format!("{}{exponent}", random.pick(&["e", "E"])),
    }
    text
}

fn random_digits(random: &mut Random, count: u64) -> String {
    (0..count).map(|_| char::from(b'0' + random.below(10) as u8)).collect()
}

#[test]
fn numerals_of_any_length() {
    let mut random = Random(5);
    for round in 0..1_600_000_u64 {
        let count = match round % 16 {
            0..4 => 1 + random.below(6),
            4..8 => 17,
            8..11 => 15 + random.below(8),
            11..13 => 1 + random.below(40),
            13 => 18 + random.below(3),
            _ => 1 + random.below(if round % 64 < 62 { 60 } else { 1200 }),
        };
        let digits = match random.below(8) {
            // Around where 64 bits, or a tenth of them, are full.
            0 => (u128::from(u64::MAX) / 10_u128.pow(random.below(3) as u32) + 5
                - u128::from(random.below(30)))
            .to_string(),
            1 => random_digits(&mut random, count) + &"0".repeat(random.below(40) as usize),
            _ => random_digits(&mut random, count),
        };
        let places = match random.below(4) {
            0 => random.below(digits.len() as u64 + 1) as i64,
            1 => random.below(60) as i64 - 30,
            2 => digits.len() as i64 + random.below(700) as i64 - 330,
            // Where floats end.
            _ => digits.len() as i64 + *random.pick(&[-309, -308, 307, 308, 322, 323, 324, 325]),
        };
        same_float(&written(&mut random, &digits, places));
    }
}

#[test]
fn numerals_halfway_between_two_floats() {
    let mut random = Random(6);
    for round in 0..120_000_u64 {
        let value = match round % 8 {
            0 => f64::from_bits(random.below(1000)),
            1 => f64::from_bits((1 << 52) - 500 + random.below(1000)),
            2 => f64::from_bits(f64::MAX.to_bits() - random.below(20)),
            // Sparse significands: ties of few digits.
            3 => (random.below(1 << 20) as f64) * 2_f64.powi(random.below(200) as i32 - 100),
            _ => random.float().abs(),
        };
        if !value.is_finite() {
            continue;
        }
        let (half, places) = halfway(value);
        same_float(&written(&mut random, &half, places));
        // A little more, and a little less: far behind the last digit, and in any digit.
        let limit = *random.pick(&[2, 30, 1000]);
        let zeros = random.below(limit) as usize;
        let more = format!("{half}{}1", "0".repeat(zeros));
        same_float(&written(&mut random, &more, places + zeros as i64 + 1));
        let less = format!("{}4{}", &half[..half.len() - 1], "9".repeat(zeros + 1));
        if half.ends_with('5') {
            same_float(&written(&mut random, &less, places + zeros as i64 + 1));
        }
        let cut = 1 + random.below(half.len() as u64) as usize;
        let dropped = (half.len() - cut) as i64;
        same_float(&written(&mut random, &half[..cut], places - dropped));
        let mut other = half.clone().into_bytes();
        other[cut - 1] = b'0' + random.below(10) as u8;
        same_float(&written(&mut random, std::str::from_utf8(&other).unwrap(), places));
        let after = format!("{}{}", &half[..cut], random_digits(&mut random, 20));
        same_float(&written(&mut random, &after, places - dropped + 20));
    }
}

/// Checks exponents of any size, with as many zeros that compensate them.
#[test]
fn numerals_with_exponents_as_long_as_their_text() {
    let mut random = Random(7);
    for round in 0..3000 {
        let zeros = random.below(if round % 100 == 0 { 2_000_000 } else { 20_000 });
        let digits = 1 + random.below(30);
        let digits = random_digits(&mut random, digits);
        let near = random.below(700) as i64 - 350;
        let zero = "0".repeat(zeros as usize);
        same_float(&format!("{digits}{zero}e{}", near - zeros as i64));
        same_float(&format!("0.{zero}{digits}e{}", near + zeros as i64));
        same_float(&format!("{zero}{digits}.{zero}e{near}"));
        same_float(&format!("{digits}e{}{near}", if near < 0 { "" } else { "-" }));
    }
    for text in
        ["1e9223372036854775807", "1e-9223372036854775808", "1.5e18446744073709551616", "0e4294967296"]
    {
        same_float(text);
    }
    for power in [4294967296_i64, -4294967296, 4294967295, 2147483648, 4294967308, -4294967308] {
        same_float(&format!("1.25e{power}"));
    }
}

/// `n * 2^twos * 5^fives`, in digits of 32 bits, highest first, and their count before them: so that larger
/// numbers compare as larger.
fn product(n: u128, twos: i32, fives: i32) -> (usize, Vec<u32>) {
    let mut limbs = vec![n as u32, (n >> 32) as u32, (n >> 64) as u32];
    let factors = (0..twos).map(|_| 2).chain((0..fives).map(|_| 5));
    for factor in factors {
        let mut carry = 0_u64;
        for limb in &mut limbs {
            carry += u64::from(*limb) * factor;
            *limb = carry as u32;
            carry >>= 32;
        }
        limbs.push(carry as u32);
    }
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
    limbs.reverse();
    (limbs.len(), limbs)
}

#[test]
fn powers_of_five_are_truncated_not_rounded() {
    for (i, step) in (0..).zip(parse::STEPS) {
        let power = parse::EXPONENT_MIN + i * parse::STEP;
        // step * 2^twos <= 5^power < (step + 1) * 2^twos, the negative powers on the other side.
        let twos = parse::log2_five(power) - 63;
        let five = product(1, (-twos).max(0), power.max(0));
        let least = product(step.into(), twos.max(0), (-power).max(0));
        let beyond = product(u128::from(step) + 1, twos.max(0), (-power).max(0));
        assert!(least <= five && five < beyond, "5^{power}");
    }
}

#[test]
fn numerals_of_random_characters() {
    let mut random = Random(5);
    for _ in 0..300_000 {
        let hex = random.below(2) == 0;
        let alphabet: &[u8] = if hex { b"0123456789abcdefABCDEF..p+-" } else { b"012345678999..e+-" };
        let mut text = String::from(if hex { "0x" } else { "" });
        let length_max = *random.pick(&[4, 12, 24, 60]);
        for _ in 0..=random.below(length_max) {
            text.push(char::from(*random.pick(alphabet)));
        }
        if random.below(2) == 0 {
            text.push(if hex { 'p' } else { 'e' });
            text += &(random.below(2400) as i64 - 1200).to_string();
        }
        same_float(&text);
    }
}

/// The distance of two floats in units of the last place; NaNs are equal.
fn distance(a: f64, b: f64) -> u64 {
    if a.is_nan() && b.is_nan() {
        return 0;
    }
    if a == 0.0 && b == 0.0 {
        return u64::from(a.is_sign_negative() != b.is_sign_negative());
    }
    let line = |x: f64| -> i64 {
        let bits = x.to_bits() as i64;
        if bits < 0 { i64::MIN - bits } else { bits }
    };
    line(a).abs_diff(line(b))
}

#[test]
fn fmod_is_exact() {
    let mut random = Random(6);
    let edges = edges();
    let check = |x: f64, y: f64| {
        let (ours, theirs) = (math::perilune_fmod(x, y), system::fmod(x, y));
        assert_eq!(distance(ours, theirs), 0, "fmod({x:e}, {y:e}) = {ours:e}, not {theirs:e}");
    };
    for x in &edges {
        for y in &edges {
            check(*x, *y);
        }
    }
    for _ in 0..500_000 {
        check(random.float(), random.float());
    }
}

#[test]
fn pow_is_exact_where_it_can_be() {
    for base in 0..2000_i64 {
        let mut exact = 1_i64;
        for power in 0..=64 {
            assert_eq!(math::perilune_pow(base as f64, f64::from(power)), exact as f64);
            let sign = if power % 2 == 1 { -1.0 } else { 1.0 };
            let negative = math::perilune_pow(-(base as f64), f64::from(power));
            assert_eq!(distance(negative, sign * exact as f64), 0, "-{base} ^ {power}");
            match exact.checked_mul(base) {
                Some(next) if next <= 1 << 53 => exact = next,
                _ => break,
            }
        }
    }
    let specials = edges();
    for x in &specials {
        for y in
            specials.iter().chain(&[2.0, 3.0, -1.0, -2.0, -3.0, 1e300, 63.0, 64.0, 1101.0, -1101.0, 1102.0])
        {
            let (ours, theirs) = (math::perilune_pow(*x, *y), system::pow(*x, *y));
            assert!(distance(ours, theirs) <= 1, "pow({x:e}, {y:e}) = {ours:e}, not {theirs:e}");
        }
    }
}

#[test]
fn powers_of_ten_are_their_literals() {
    for power in -330..=310 {
        let literal: f64 = format!("1e{power}").parse().unwrap();
        let ours = math::perilune_pow(10.0, f64::from(power));
        assert_eq!(distance(ours, literal), 0, "10.0^{power} = {ours:e}");
        assert_eq!(math::perilune_pow(-10.0, f64::from(power)).abs(), literal);
    }
    for power in -1100..=1030 {
        assert_eq!(math::perilune_pow(2.0, f64::from(power)), math::perilune_ldexp(1.0, power));
        assert_eq!(math::perilune_pow(0.5, f64::from(power)), math::perilune_ldexp(1.0, -power));
    }
    // Just below the least normal float.
    assert_eq!(math::perilune_pow(119.98786779748272, -148.0), 1.9394307780413315e-308);
    assert_eq!(math::perilune_pow(-1.0799313740983583e-44, 7.0), -1.7130621093119577e-308);
    assert_eq!(math::perilune_exp(1.0), core::f64::consts::E);
}

/// The number of results, of `count`, that differ from the system's. None may differ by more than one unit.
fn differing(count: u32, mut answers: impl FnMut() -> (f64, f64, f64, f64)) -> u32 {
    let mut differing = 0;
    for _ in 0..count {
        let (x, y, ours, theirs) = answers();
        // glibc distinguishes signaling NaNs: only for these is `pow(x, 0)` NaN.
        if x.is_nan() || y.is_nan() {
            continue;
        }
        let distance = distance(ours, theirs);
        assert!(distance <= 1, "({x:e}, {y:e}) gives {ours:e}, not {theirs:e}");
        differing += distance as u32;
    }
    differing
}

/// Counts results that are not the nearest float. glibc promises pow to 0.52 units, exp and log to 0.51 and
/// 0.52; its errors are counted, too.
#[test]
fn pow_exp_and_log_are_nearly_always_the_nearest_float() {
    const COUNT: u32 = 400_000;
    let mut random = Random(10);
    let whole = differing(COUNT, || {
        let x = random.float();
        let limit = *random.pick(&[10, 50, 300, 1100, 1110]);
        let y = random.below(2 * limit + 1) as f64 - limit as f64;
        // Half of them where the answer is neither zero nor infinite.
        let x = if random.below(2) == 0 { x } else { 1.0 + (x % 1.0) * 700.0 / 1200.0 };
        (x, y, math::perilune_pow(x, y), system::pow(x, y))
    });
    let any = differing(COUNT, || {
        let x = random.float().abs();
        let y = random.float() % *random.pick(&[2.0, 40.0, 1e4, 1e300]);
        let x = if random.below(2) == 0 { x } else { 1.0 + x % 0.01 };
        (x, y, math::perilune_pow(x, y), system::pow(x, y))
    });
    let exp = differing(COUNT, || {
        let x = random.float() % *random.pick(&[1.0, 40.0, 750.0]);
        (x, 0.0, math::perilune_exp(x), system::exp(x))
    });
    let log = differing(COUNT, || {
        let x = random.float().abs();
        let x = if random.below(2) == 0 { x } else { 1.0 + (x - 0.5) % 0.3 };
        (x, 0.0, math::perilune_log(x), system::log(x))
    });
    println!("of {COUNT} differ: {whole} whole powers, {any} powers, {exp} exp, {log} log");
    assert!([whole, any, exp, log].iter().all(|differing| *differing < COUNT / 100));
}

#[test]
fn powers_of_ten_and_two_have_whole_logarithms() {
    for power in 0..=22 {
        let ten = math::perilune_pow(10.0, f64::from(power));
        assert_eq!(math::perilune_log10(ten), f64::from(power));
    }
    for power in -1074..=1023 {
        assert_eq!(math::perilune_log2(math::perilune_ldexp(1.0, power)), f64::from(power));
    }
}

/// The worst distance to the system's answer, over floats of every kind and over small ones.
fn worst(ours: extern "C" fn(f64) -> f64, theirs: extern "C" fn(f64) -> f64) -> u64 {
    let mut random = Random(7);
    let mut worst = 0;
    for round in 0..200_000 {
        let x = if round % 2 == 0 { random.float() } else { random.float() % 100.0 };
        worst = worst.max(distance(ours(x), theirs(x)));
    }
    for x in edges() {
        worst = worst.max(distance(ours(x), theirs(x)));
    }
    worst
}

#[test]
fn functions_are_within_a_unit_of_the_last_place() {
    type Function = extern "C" fn(f64) -> f64;
    let pairs: [(&str, Function, Function); 9] = [
        ("exp", math::perilune_exp, system::exp),
        ("log", math::perilune_log, system::log),
        ("log2", math::perilune_log2, system::log2),
        ("log10", math::perilune_log10, system::log10),
        ("sin", math::perilune_sin, system::sin),
        ("cos", math::perilune_cos, system::cos),
        ("tan", math::perilune_tan, system::tan),
        ("asin", math::perilune_asin, system::asin),
        ("acos", math::perilune_acos, system::acos),
    ];
    for (name, ours, theirs) in pairs {
        let worst = worst(ours, theirs);
        println!("{name}: {worst}");
        assert!(worst <= 2, "{name} is {worst} units of the last place away");
    }
    let mut random = Random(8);
    let (mut pow, mut atan2) = (0, 0);
    for _ in 0..200_000 {
        let (x, y) = (random.float(), random.float());
        atan2 = atan2.max(distance(math::perilune_atan2(y, x), system::atan2(y, x)));
        for (x, y) in [(x, y), (x.abs() % 1e6, y % 40.0)] {
            pow = pow.max(distance(math::perilune_pow(x, y), system::pow(x, y)));
        }
    }
    println!("atan2: {atan2}, pow: {pow}");
    assert!(atan2 <= 1 && pow <= 1, "atan2 {atan2}, pow {pow}");
}

#[test]
fn frexp_and_ldexp_are_exact() {
    let mut random = Random(9);
    let mut values = edges();
    values.extend((0..100_000).map(|_| random.float()));
    for x in values {
        let (mut ours, mut theirs) = (7, 7);
        // SAFETY: the exponent is writable.
        let our_fraction = unsafe { math::perilune_frexp(x, &raw mut ours) };
        // SAFETY: the exponent is writable.
        let their_fraction = unsafe { system::frexp(x, &raw mut theirs) };
        assert_eq!(distance(our_fraction, their_fraction), 0, "frexp({x:e})");
        assert!(ours == theirs || !x.is_finite(), "frexp({x:e}): {ours}, not {theirs}");
        let by = random.below(4400) as c_int - 2200;
        for by in [by, by / 20, c_int::MAX, c_int::MIN] {
            let (ours, theirs) = (math::perilune_ldexp(x, by), system::ldexp(x, by));
            assert_eq!(distance(ours, theirs), 0, "ldexp({x:e}, {by}) = {ours:e}, not {theirs:e}");
        }
    }
}
