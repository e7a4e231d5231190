//! Gives C its libc by pointers (port/pointers.c), in a program whose module must not export these functions.
//!
//! Not here: what C calls of the runtime (`crate::lua`).

use super::{format, math, parse, perilune_abort, string};

/// Sets the pointer of C that a line names first to the function that it names second.
macro_rules! set_pointers {
    ($($pointer:ident = $function:path;)*) => {{
        unsafe extern "C" {
            $(static mut $pointer: *const ();)*
        }
        // SAFETY: pointers.c defines each of them as a pointer; only these lines write to them, and
        // wasm32 without atomics has one thread.
        $(unsafe { $pointer = $function as *const () };)*
    }};
}
pub(crate) use set_pointers;

/// Sets the pointers of the libc. Called before C is; a second call changes nothing.
pub(crate) fn set() {
    set_pointers! {
        perilune_abort_pointer = perilune_abort;
        perilune_format_int_pointer = format::perilune_format_int;
        perilune_format_cint_pointer = format::perilune_format_cint;
        perilune_format_double_pointer = format::perilune_format_double;
        perilune_format_str_pointer = format::perilune_format_str;
        perilune_format_ptr_pointer = format::perilune_format_ptr;
        perilune_print_integer_pointer = format::perilune_print_integer;
        perilune_print_number_pointer = format::perilune_print_number;
        perilune_exp_pointer = math::perilune_exp;
        perilune_log_pointer = math::perilune_log;
        perilune_log2_pointer = math::perilune_log2;
        perilune_log10_pointer = math::perilune_log10;
        perilune_sin_pointer = math::perilune_sin;
        perilune_cos_pointer = math::perilune_cos;
        perilune_tan_pointer = math::perilune_tan;
        perilune_asin_pointer = math::perilune_asin;
        perilune_acos_pointer = math::perilune_acos;
        perilune_atan2_pointer = math::perilune_atan2;
        perilune_fmod_pointer = math::perilune_fmod;
        perilune_pow_pointer = math::perilune_pow;
        perilune_frexp_pointer = math::perilune_frexp;
        perilune_ldexp_pointer = math::perilune_ldexp;
        perilune_strtod_pointer = parse::perilune_strtod;
        perilune_memchr_pointer = string::perilune_memchr;
        perilune_strchr_pointer = string::perilune_strchr;
        perilune_strcmp_pointer = string::perilune_strcmp;
        perilune_strcpy_pointer = string::perilune_strcpy;
        perilune_strncmp_pointer = string::perilune_strncmp;
        perilune_strerror_pointer = string::perilune_strerror;
        perilune_strpbrk_pointer = string::perilune_strpbrk;
        perilune_strspn_pointer = string::perilune_strspn;
        perilune_strstr_pointer = string::perilune_strstr;
    }
}
