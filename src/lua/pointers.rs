//! Gives C the functions of Rust that it calls by pointers (lua-5.4/port/pointers.c), in a program whose
//! module must not export them.

use super::{raw, state};
use crate::libc::pointers;
use std::ffi::c_int;

/// Sets every pointer, before the first state is made, which calls `perilune_hash_seed`. Again changes
/// nothing.
pub(crate) fn set_pointers(
    refuel: unsafe extern "C-unwind" fn(*mut raw::lua_State),
    next: unsafe extern "C-unwind" fn(*mut raw::lua_State) -> c_int,
) {
    pointers::set();
    pointers::set_pointers! {
        perilune_hash_seed_pointer = state::perilune_hash_seed;
        perilune_next_pointer = next;
        perilune_refuel_pointer = refuel;
    }
}
