//! The part of the C library that Lua's C files need on wasm32-unknown-unknown, which has none.
//!
//! One file per C header or job: `string` and `math` are the headers of these names,
//! `parse` is `strtod`, `format` is what `config.h` makes of `l_sprintf`; `float` and `decimal`
//! serve `format`.
//!
//! Keeps true: nothing allocates, nothing panics, nothing has state, and every result is that of a C library
//! in the "C" locale. Every symbol carries the prefix `perilune_`, so that another C guest may live in the
//! same module and bring a libc of its own. C calls the functions by these names (`c_symbols`) or by pointers
//! (`c_pointers`), as build.rs decides.
//!
//! Natively the same code is compiled for its tests, which compare it with the system's libc;
//! there it exports nothing.
//!
//! Not here: ctype.h (inline, in port/include), memcpy, memmove, memset, memcmp, strlen (`compiler_builtins`
//! brings them), and floor, ceil, sqrt, fabs (single wasm instructions, which clang writes itself).

#![cfg_attr(
    not(all(target_arch = "wasm32", target_os = "unknown")),
    allow(dead_code, reason = "the callers are C files, which are linked on wasm only")
)]

mod decimal;
mod double_double;
mod float;
mod format;
mod math;
mod parse;
#[cfg(c_pointers)]
pub(crate) mod pointers;
mod power;
mod string;
#[cfg(test)]
#[allow(
    clippy::cast_precision_loss,
    clippy::excessive_precision,
    clippy::float_cmp,
    clippy::format_push_string,
    clippy::print_stdout,
    clippy::too_many_lines,
    clippy::unreadable_literal,
    clippy::unwrap_used,
    reason = "exact floats, in all their digits, are what is tested; the distances are printed"
)]
mod tests;

/// C's `abort`: traps. Lua calls it only when an error escapes every protected call.
#[cfg_attr(c_symbols, unsafe(no_mangle))]
pub(crate) extern "C" fn perilune_abort() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}
