//! ctype.h in the "C" locale: ASCII only, and every other byte belongs to no class.
//!
//! The argument is what C says it is, an unsigned char or EOF (-1); any other int is answered as
//! if it were EOF, so no argument is undefined.

use core::ffi::c_int;

/// The byte in `c`, or one that is in no class: EOF and whatever else is not a byte.
fn byte(c: c_int) -> u8 {
    u8::try_from(c).unwrap_or(0xFF)
}

/// Defines one exported predicate per line: the C name, and the test of the byte.
macro_rules! classes {
    ($($name:ident: $test:expr;)*) => {$(
        #[cfg_attr(c_symbols, unsafe(no_mangle))]
        pub(crate) extern "C" fn $name(c: c_int) -> c_int {
            let test: fn(&u8) -> bool = $test;
            c_int::from(test(&byte(c)))
        }
    )*};
}

classes! {
    perilune_isalnum: u8::is_ascii_alphanumeric;
    perilune_isalpha: u8::is_ascii_alphabetic;
    perilune_iscntrl: u8::is_ascii_control;
    perilune_isdigit: u8::is_ascii_digit;
    perilune_isgraph: u8::is_ascii_graphic;
    perilune_islower: u8::is_ascii_lowercase;
    perilune_isprint: |c| matches!(c, b' '..=b'~');
    perilune_ispunct: u8::is_ascii_punctuation;
    // Rust's is_ascii_whitespace leaves out the vertical tab.
    perilune_isspace: |c| matches!(c, b' ' | b'\t'..=b'\r');
    perilune_isupper: u8::is_ascii_uppercase;
    perilune_isxdigit: u8::is_ascii_hexdigit;
}

#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) extern "C" fn perilune_tolower(c: c_int) -> c_int {
    // 0x20 is the one bit by which ASCII's two cases differ.
    if byte(c).is_ascii_uppercase() { c | 0x20 } else { c }
}

#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) extern "C" fn perilune_toupper(c: c_int) -> c_int {
    if byte(c).is_ascii_lowercase() { c & !0x20 } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    mod system {
        use core::ffi::c_int;
        unsafe extern "C" {
            pub(super) safe fn isalnum(c: c_int) -> c_int;
            pub(super) safe fn isalpha(c: c_int) -> c_int;
            pub(super) safe fn iscntrl(c: c_int) -> c_int;
            pub(super) safe fn isdigit(c: c_int) -> c_int;
            pub(super) safe fn isgraph(c: c_int) -> c_int;
            pub(super) safe fn islower(c: c_int) -> c_int;
            pub(super) safe fn isprint(c: c_int) -> c_int;
            pub(super) safe fn ispunct(c: c_int) -> c_int;
            pub(super) safe fn isspace(c: c_int) -> c_int;
            pub(super) safe fn isupper(c: c_int) -> c_int;
            pub(super) safe fn isxdigit(c: c_int) -> c_int;
            pub(super) safe fn tolower(c: c_int) -> c_int;
            pub(super) safe fn toupper(c: c_int) -> c_int;
        }
    }

    #[test]
    fn every_class_is_the_systems_for_every_argument() {
        type Question = extern "C" fn(c_int) -> c_int;
        let pairs: [(&str, Question, Question); 11] = [
            ("isalnum", perilune_isalnum, system::isalnum),
            ("isalpha", perilune_isalpha, system::isalpha),
            ("iscntrl", perilune_iscntrl, system::iscntrl),
            ("isdigit", perilune_isdigit, system::isdigit),
            ("isgraph", perilune_isgraph, system::isgraph),
            ("islower", perilune_islower, system::islower),
            ("isprint", perilune_isprint, system::isprint),
            ("ispunct", perilune_ispunct, system::ispunct),
            ("isspace", perilune_isspace, system::isspace),
            ("isupper", perilune_isupper, system::isupper),
            ("isxdigit", perilune_isxdigit, system::isxdigit),
        ];
        for c in -1..=255 {
            for (name, ours, theirs) in pairs {
                assert_eq!(ours(c) != 0, theirs(c) != 0, "{name}({c})");
            }
            assert_eq!(perilune_tolower(c), system::tolower(c), "tolower({c})");
            assert_eq!(perilune_toupper(c), system::toupper(c), "toupper({c})");
        }
    }
}
