//! string.h: the functions that Lua uses and `compiler_builtins` does not have.
//!
//! Every function trusts its pointers as C does: strings end in NUL, and lengths are true. None
//! reads a byte that C could not read too (no reading ahead of the NUL in words).

use core::ffi::{c_char, c_int, c_void};
use core::ptr;

/// The byte `at` places after `s`.
///
/// # Safety
/// `s` is readable for more than `at` bytes.
unsafe fn byte(s: *const c_char, at: usize) -> u8 {
    // SAFETY: the caller guarantees that `s` is readable at `at`.
    unsafe { s.cast::<u8>().wrapping_add(at).read() }
}

/// # Safety
/// `s` ends in NUL.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_strchr(s: *const c_char, c: c_int) -> *mut c_char {
    let wanted = c.to_le_bytes()[0]; // C converts the int to char
    let mut at = 0;
    loop {
        // SAFETY: no byte before `at` was the NUL, so `at` is at most the NUL's place.
        let found = unsafe { byte(s, at) };
        if found == wanted {
            return s.wrapping_add(at).cast_mut();
        }
        if found == 0 {
            return ptr::null_mut();
        }
        at += 1;
    }
}

/// A set of bytes. The ASCII half lives in two registers: Lua asks `strspn` for every float that it
/// prints and every numeral that it reads, and a search through the set for each byte would cost
/// more than the number itself.
struct Set {
    low: u64,
    high: u64,
    bytes: *const c_char,
}

impl Set {
    /// # Safety
    /// `bytes` ends in NUL and outlives the set.
    unsafe fn new(bytes: *const c_char) -> Self {
        let (mut low, mut high) = (0, 0);
        let mut at = 0;
        loop {
            // SAFETY: no byte before `at` was the NUL.
            let member = unsafe { byte(bytes, at) };
            let bit = 1 << (member & 63);
            match member {
                0 => return Self { low, high, bytes },
                1..64 => low |= bit,
                64..128 => high |= bit,
                128.. => {} // looked up in `bytes`
            }
            at += 1;
        }
    }

    /// True if `member` is in the set; NUL never is.
    fn has(&self, member: u8) -> bool {
        match member {
            0..64 => self.low >> member & 1 != 0,
            64..128 => self.high >> (member & 63) & 1 != 0,
            // SAFETY: `bytes` ends in NUL, as `new` was promised.
            128.. => !unsafe { perilune_strchr(self.bytes, c_int::from(member)) }.is_null(),
        }
    }
}

/// # Safety
/// Both strings end in NUL.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_strpbrk(s: *const c_char, accept: *const c_char) -> *mut c_char {
    // SAFETY: the caller guarantees that `accept` ends in NUL, and it outlives this call.
    let set = unsafe { Set::new(accept) };
    let mut at = 0;
    loop {
        // SAFETY: no byte before `at` was the NUL.
        let found = unsafe { byte(s, at) };
        if found == 0 {
            return ptr::null_mut();
        }
        if set.has(found) {
            return s.wrapping_add(at).cast_mut();
        }
        at += 1;
    }
}

/// # Safety
/// Both strings end in NUL.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_strspn(s: *const c_char, accept: *const c_char) -> usize {
    // SAFETY: the caller guarantees that `accept` ends in NUL, and it outlives this call.
    let set = unsafe { Set::new(accept) };
    let mut at = 0;
    // SAFETY: the NUL is in no set, so every byte before `at` was another one.
    while set.has(unsafe { byte(s, at) }) {
        at += 1;
    }
    at
}

/// # Safety
/// `from` ends in NUL; `to` has room for it with its NUL, and does not overlap it.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_strcpy(to: *mut c_char, from: *const c_char) -> *mut c_char {
    let mut at = 0;
    loop {
        // SAFETY: no byte before `at` was the NUL.
        let copied = unsafe { byte(from, at) };
        // SAFETY: `to` has room for as many bytes as `from` has up to its NUL.
        unsafe { to.cast::<u8>().wrapping_add(at).write(copied) };
        if copied == 0 {
            return to;
        }
        at += 1;
    }
}

/// C's `strcmp`, and `strcoll`, which is the same in the "C" locale.
///
/// # Safety
/// Both strings end in NUL.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_strcmp(a: *const c_char, b: *const c_char) -> c_int {
    let mut at = 0;
    loop {
        // SAFETY: `a` had no NUL before `at`.
        let left = unsafe { byte(a, at) };
        // SAFETY: up to `at` the strings were equal, so `b` had no NUL either.
        let right = unsafe { byte(b, at) };
        if left != right || left == 0 {
            return c_int::from(left) - c_int::from(right);
        }
        at += 1;
    }
}

/// C's `strncmp`: compares at most `n` bytes.
///
/// # Safety
/// Each string ends in NUL or is readable for `n` bytes.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_strncmp(a: *const c_char, b: *const c_char, n: usize) -> c_int {
    for at in 0..n {
        // SAFETY: `a` had no NUL before `at`.
        let left = unsafe { byte(a, at) };
        // SAFETY: up to `at` the strings were equal, so `b` had no NUL either.
        let right = unsafe { byte(b, at) };
        if left != right || left == 0 {
            return c_int::from(left) - c_int::from(right);
        }
    }
    0
}

/// C's `memchr`. Searches eight bytes at a time, because `string.find` with a plain pattern uses it on texts
/// of any length.
///
/// # Safety
/// `s` is readable for `n` bytes.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_memchr(s: *const c_void, c: c_int, n: usize) -> *mut c_void {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let s = s.cast::<c_char>();
    let wanted = c.to_le_bytes()[0]; // C converts the int to unsigned char
    let pattern = ONES * u64::from(wanted);
    let mut at = 0;
    while n - at >= 8 {
        // SAFETY: the eight bytes from `at` on lie within `n`; the read asks for no alignment.
        let word = unsafe { s.wrapping_add(at).cast::<u64>().read_unaligned() } ^ pattern;
        // A byte that became zero is the one looked for: only then a borrow reaches a top bit that
        // the word itself did not have. (A false top bit may follow a true one, never come alone.)
        if word.wrapping_sub(ONES) & !word & TOPS != 0 {
            break;
        }
        at += 8;
    }
    while at < n {
        // SAFETY: `at` lies within `n`.
        if unsafe { byte(s, at) } == wanted {
            return s.wrapping_add(at).cast_mut().cast();
        }
        at += 1;
    }
    ptr::null_mut()
}

/// # Safety
/// Both strings end in NUL.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn perilune_strstr(s: *const c_char, wanted: *const c_char) -> *mut c_char {
    let mut start = 0;
    loop {
        let mut at = 0;
        loop {
            // SAFETY: every byte of `wanted` before `at` equalled one of `s` that was not the NUL.
            let expected = unsafe { byte(wanted, at) };
            if expected == 0 {
                return s.wrapping_add(start).cast_mut();
            }
            // SAFETY: `s` had no NUL before `start`, nor among the `at` bytes matched since.
            let found = unsafe { byte(s, start + at) };
            if found != expected {
                break;
            }
            at += 1;
        }
        // SAFETY: `s` had no NUL before `start`.
        if unsafe { byte(s, start) } == 0 {
            return ptr::null_mut();
        }
        start += 1;
    }
}

/// C's `strerror`: one text for all codes, because nothing in this libc sets errno.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) extern "C" fn perilune_strerror(_number: c_int) -> *mut c_char {
    c"unknown error".as_ptr().cast_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ffi::CStr;

    /// The offset of `found` in `text`; `None` for the null pointer.
    fn place(text: &CStr, found: *mut c_char) -> Option<usize> {
        (!found.is_null()).then(|| found as usize - text.as_ptr() as usize)
    }

    #[test]
    fn strchr_finds_the_first_and_the_nul() {
        let text = c"abc\xFFabc";
        for (c, at) in [(b'a', Some(0)), (b'c', Some(2)), (0xFF, Some(3)), (0, Some(7)), (b'x', None)] {
            // SAFETY: a C string literal ends in NUL.
            let found = unsafe { perilune_strchr(text.as_ptr(), c_int::from(c)) };
            assert_eq!(place(text, found), at);
        }
        // A char that is signed arrives as a negative int.
        // SAFETY: as above.
        let found = unsafe { perilune_strchr(text.as_ptr(), -1) };
        assert_eq!(place(text, found), Some(3));
    }

    #[test]
    fn sets_hold_ascii_and_the_other_half() {
        let cases = [
            (c"123x", c"0123456789", 3, Some(0)),
            (c"-12.5", c"-0123456789", 3, Some(0)),
            (c"abc", c".xXnN", 0, None),
            (c"0x1F", c".xXnN", 0, Some(1)),
            (c"\xC3\xA9t\xC3\xA9", c"\xA9\xC3", 2, Some(0)),
            (c"a\xC3", c"\xC3", 0, Some(1)),
            (c"", c"abc", 0, None),
            (c"abc", c"", 0, None),
            (c"\x7F\x3F\x40", c"\x40\x3F\x7F", 3, Some(0)),
        ];
        for (text, set, span, found) in cases {
            // SAFETY: C string literals end in NUL.
            let spn = unsafe { perilune_strspn(text.as_ptr(), set.as_ptr()) };
            // SAFETY: as above.
            let brk = unsafe { perilune_strpbrk(text.as_ptr(), set.as_ptr()) };
            assert_eq!((spn, place(text, brk)), (span, found), "{text:?} {set:?}");
        }
    }

    #[test]
    fn strcmp_compares_unsigned_bytes() {
        let ordered = [c"", c"\x01", c"a", c"aa", c"ab", c"b", c"\x7F", c"\x80", c"\xFF"];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                // SAFETY: C string literals end in NUL.
                let sign = unsafe { perilune_strcmp(a.as_ptr(), b.as_ptr()) }.signum();
                assert_eq!(sign, i.cmp(&j) as c_int, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn strcpy_copies_the_nul_and_no_more() {
        let mut to = [7 as c_char; 6];
        // SAFETY: four bytes with the NUL fit in six.
        let returned = unsafe { perilune_strcpy(to.as_mut_ptr(), c"abc".as_ptr()) };
        assert_eq!(returned, to.as_mut_ptr());
        assert_eq!(to.map(|c| c as u8), [b'a', b'b', b'c', 0, 7, 7]);
    }

    #[test]
    fn memchr_agrees_with_a_plain_search() {
        let mut text = [0u8; 64];
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..2000 {
            for byte in &mut text {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Few values, and neighbours of each other: false matches would show.
                *byte = [0, 1, 0x7F, 0x80, 0x81, 0xFE, 0xFF, b'a'][(seed >> 61) as usize];
            }
            for c in [0u8, 1, 2, 0x7F, 0x80, 0x81, 0xFF, b'a'] {
                for (start, end) in [(0, 64), (3, 64), (5, 40), (60, 64), (9, 9)] {
                    let part = &text[start..end];
                    // SAFETY: a slice is readable for its length.
                    let found = unsafe { perilune_memchr(part.as_ptr().cast(), c_int::from(c), part.len()) };
                    let at = (!found.is_null()).then(|| found as usize - part.as_ptr() as usize);
                    assert_eq!(at, part.iter().position(|b| *b == c));
                }
            }
        }
    }

    #[test]
    fn strstr_finds_the_first() {
        let cases = [
            (c"hello", c"", Some(0)),
            (c"", c"", Some(0)),
            (c"", c"a", None),
            (c"aaab", c"aab", Some(1)),
            (c"abcabd", c"abd", Some(3)),
            (c"abc", c"abcd", None),
            (c"[string \"x\"]", c"\n", None),
        ];
        for (text, wanted, at) in cases {
            // SAFETY: C string literals end in NUL.
            let found = unsafe { perilune_strstr(text.as_ptr(), wanted.as_ptr()) };
            assert_eq!(place(text, found), at, "{text:?} {wanted:?}");
        }
    }
}
