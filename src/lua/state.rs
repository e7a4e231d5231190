//! One Lua state: making it, closing it, and the word behind each of its threads that leads to the runtime's
//! context.

use super::alloc::Memory;
use super::raw::{self, lua_State};
use super::stack::Stack;
use std::cell::Cell;
use std::ffi::{c_uint, c_void};
use std::ptr::NonNull;

thread_local! {
    /// Seed of the string hashes of the next state made on this thread; `lua_newstate` asks for it
    /// (lua-5.4/port/config.h).
    static HASH_SEED: Cell<c_uint> = const { Cell::new(0) };
}

/// Sets the seed of the string hashes of the next state that is made on this thread.
pub(crate) fn set_hash_seed(seed: u32) {
    HASH_SEED.set(seed);
}

// SAFETY: the symbol is declared in config.h with this signature, and defined nowhere else.
#[cfg_attr(not(c_pointers), unsafe(no_mangle))]
pub(super) extern "C" fn perilune_hash_seed() -> c_uint {
    HASH_SEED.get()
}

/// A Lua state, by its main thread.
#[derive(Debug)]
pub(crate) struct State(NonNull<lua_State>);

impl State {
    /// Makes a state that allocates from `memory`, which must stay where it is for as long as the state
    /// lives. None when there is no memory for it.
    pub(crate) fn new(memory: &Memory) -> Option<State> {
        let userdata = std::ptr::from_ref(memory).cast_mut().cast::<c_void>();
        // SAFETY: `allocate` is a lua_Alloc whose userdata is a `Memory`.
        let state = unsafe { raw::lua_newstate(Memory::allocate, userdata) };
        #[cfg(all(feature = "heap", target_arch = "wasm32"))]
        if !state.is_null() {
            super::emergency::watch(state, memory);
        }
        NonNull::new(state).map(State)
    }

    /// The main thread.
    pub(crate) fn main(&self) -> Stack {
        // SAFETY: the state is alive until `close`.
        unsafe { Stack::new(self.0.as_ptr()) }
    }

    /// Closes the state: all finalizers run, all memory is given back.
    ///
    /// # Safety
    /// It is the last use of the state and of its threads.
    pub(crate) unsafe fn close(&mut self) {
        #[cfg(all(feature = "heap", target_arch = "wasm32"))]
        super::emergency::leave(self.0.as_ptr());
        // SAFETY: the caller's promise.
        unsafe { raw::lua_close(self.0.as_ptr()) };
    }
}

impl Stack {
    /// The address that `set_extra` wrote. `[-0, +0, -]`
    #[inline]
    pub(crate) fn extra<T>(self) -> *mut T {
        // SAFETY: the extra space is part of every thread, and a pointer wide (LUA_EXTRASPACE,
        // port/config.h).
        unsafe { raw::lua_getextraspace(self.as_ptr()).cast::<*mut T>().read() }
    }

    /// Writes an address into the extra space of the main thread, which each new thread copies. `[-0, +0, -]`
    pub(crate) fn set_extra<T>(self, address: *mut T) {
        // SAFETY: as in `extra`.
        unsafe { raw::lua_getextraspace(self.as_ptr()).cast::<*mut T>().write(address) };
    }
}
