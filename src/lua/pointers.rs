//! Gives C the functions of Rust that it calls by pointers (lua-5.4/port/pointers.c), in a program whose
//! module must not export them.

use super::{raw, state};
use crate::libc::pointers;
use std::ffi::c_int;

/// Sets every pointer, before the first state is made, which calls `perilune_hash_seed`. Again changes
/// nothing.
pub(crate) fn set_pointers(
    refuel: unsafe extern "C-unwind" fn(*mut raw::lua_State),
    worked_aside: unsafe extern "C-unwind" fn(*mut raw::lua_State, usize),
    long_chain: unsafe extern "C-unwind" fn(*mut raw::lua_State, c_int),
    next: unsafe extern "C-unwind" fn(*mut raw::lua_State) -> c_int,
) {
    pointers::set();
    pointers::set_pointers! {
        perilune_hash_seed_pointer = state::perilune_hash_seed;
        perilune_next_pointer = next;
        perilune_refuel_pointer = refuel;
        perilune_worked_aside_pointer = worked_aside;
        perilune_long_chain_pointer = long_chain;
    }
}
