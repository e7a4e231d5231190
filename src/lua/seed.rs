//! The seed of Lua's string hashes: `lua_newstate` takes it from here (lua-5.4/port/config.h).

use std::cell::Cell;
use std::ffi::c_uint;

thread_local! {
    static HASH_SEED: Cell<c_uint> = const { Cell::new(0) };
}

/// Sets the seed of the next state made on this thread.
pub(crate) fn set_hash_seed(seed: u32) {
    HASH_SEED.set(seed);
}

// SAFETY: the symbol is declared in config.h with this signature, and defined nowhere else.
#[unsafe(no_mangle)]
extern "C" fn perilune_hash_seed() -> c_uint {
    HASH_SEED.get()
}
