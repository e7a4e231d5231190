//! A full collection when Rust itself finds no memory, in the module that has one limit for Lua and Rust: the
//! heap (`heap`) asks for it before it refuses. Natively Rust's memory is the process's, and Lua collects
//! by itself before it refuses its own.
//!
//! Rust code that allocates may be anywhere, so these must hold:
//!
//! - The Lua state is whole. Rust runs in a C function of Lua, in `perilune_refuel` (which is called where an
//!   error may be raised), or between calls. In Lua's allocator, which Lua also calls with its stack taken
//!   apart, `prevent` forbids it; steps of the collector forbid it by themselves (lua-5.4/port/collect.c).
//! - No Lua code runs: an emergency collection calls no finalizers. It moves no stack and no table. So
//!   borrows of the context, of a store or of the IO buffer may be alive: nothing but Lua's heap and the
//!   account of its bytes, which is a block of cells, is touched.
//! - What Rust reads of Lua's objects is anchored: on a stack, in an upvalue, in the registry. That is the
//!   rule of `Stack::bytes` in any case, since its callers call Lua while they hold the bytes.

#[cfg(all(feature = "jit", target_arch = "wasm32"))]
pub(crate) use self::module::set_giver;
#[cfg(all(feature = "heap", target_arch = "wasm32"))]
pub(crate) use self::module::{clear_free, find, prevent};
#[cfg(all(feature = "heap", target_arch = "wasm32"))]
pub(super) use self::module::{give_back, hold_reserve, leave, release_reserve, watch};

#[cfg(all(feature = "heap", target_arch = "wasm32"))]
mod module {
    use super::super::alloc::Memory;
    use super::super::raw::lua_State;
    use crate::limits::HOST_RESERVE_BYTES;
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::cell::Cell;
    use std::ffi::c_int;
    use std::ptr;

    unsafe extern "C-unwind" {
        // lua-5.4/port/collect.c
        fn perilune_collect(l: *mut lua_State) -> c_int;
    }

    thread_local! {
        /// The main thread of the state whose garbage is collected, with its account; nulls while there is
        /// none.
        static WATCHED: Cell<(*mut lua_State, *const Memory)> = const { Cell::new((ptr::null_mut(), ptr::null())) };
        /// The host's reserve while scripts run; null while the host has it.
        static HELD: Cell<*mut u8> = const { Cell::new(ptr::null_mut()) };
        /// Gives memory back that is not needed; null if there is nobody.
        static GIVER: Cell<Option<fn() -> bool>> = const { Cell::new(None) };
        /// True while Lua's allocator asks.
        static PREVENTED: Cell<bool> = const { Cell::new(false) };
    }

    /// Has `give` called before anybody is refused memory; it says whether it gave some back.
    #[cfg(feature = "jit")]
    pub(crate) fn set_giver(give: fn() -> bool) {
        GIVER.set(Some(give));
    }

    /// Asks for memory that is not needed; false if there is none.
    #[cold]
    #[inline(never)]
    pub(in super::super) fn give_back() -> bool {
        GIVER.get().is_some_and(|give| give())
    }

    /// Collects the garbage of this state from now on.
    pub(in super::super) fn watch(state: *mut lua_State, memory: &Memory) {
        WATCHED.set((state, memory));
    }

    /// Ends `watch`, if it is this state's.
    pub(in super::super) fn leave(state: *mut lua_State) {
        if WATCHED.get().0 == state {
            WATCHED.set((ptr::null_mut(), ptr::null()));
        }
    }

    /// Fills what is free in the slabs of the state with zeros.
    pub(crate) fn clear_free() {
        let memory = WATCHED.get().1;
        if !memory.is_null() {
            // SAFETY: the account lives as long as its state.
            unsafe { &*memory }.clear_free();
        }
    }

    /// Runs `ask` without collections.
    #[inline]
    pub(crate) fn prevent<R>(ask: impl FnOnce() -> R) -> R {
        PREVENTED.set(true);
        let answer = ask();
        PREVENTED.set(false);
        answer
    }

    /// Finds memory for Rust, which has got none for `size` bytes after so many tries: by a collection, then
    /// in the host's reserve. False if there is nothing to be found, which is noted.
    #[cold]
    #[inline(never)]
    pub(crate) fn find(tries: u32, size: usize) -> bool {
        let (state, memory) = WATCHED.get();
        if state.is_null() || PREVENTED.get() {
            return false;
        }
        if tries == 0 {
            give_back();
        }
        // SAFETY: the state is alive until `leave`, and whole (see the head of this file).
        let collected = tries == 0 && unsafe { perilune_collect(state) } != 0;
        // SAFETY: the account lives as long as its state.
        let memory = unsafe { &*memory };
        if memory.free_idle() || collected || release_reserve() {
            return true;
        }
        memory.note_refusal(size, 0);
        false
    }

    /// Layout of the host's reserve.
    const RESERVE: Layout = match Layout::from_size_align(HOST_RESERVE_BYTES, 8) {
        Ok(layout) => layout,
        Err(_) => panic!("a layout"),
    };

    /// Takes the host's reserve out of the heap, if it is not there and there is memory for it. What Lua's
    /// account says is free may lie in holes: a script that fills all of them would leave nothing to the call
    /// that clears what it keeps.
    #[inline]
    pub(in super::super) fn hold_reserve() {
        if HELD.get().is_null() {
            // SAFETY: the layout is not empty.
            HELD.set(prevent(|| unsafe { alloc_zeroed(RESERVE) }));
        }
    }

    /// Gives the reserve to the heap, for the host; false if it has been given.
    #[cold]
    #[inline(never)]
    pub(in super::super) fn release_reserve() -> bool {
        let held = HELD.replace(ptr::null_mut());
        if !held.is_null() {
            // SAFETY: it came from `alloc_zeroed` with this layout.
            unsafe { dealloc(held, RESERVE) };
        }
        !held.is_null()
    }
}

#[cfg(not(all(feature = "heap", target_arch = "wasm32")))]
#[inline]
pub(super) fn prevent<R>(ask: impl FnOnce() -> R) -> R {
    ask()
}

#[cfg(not(all(feature = "heap", target_arch = "wasm32")))]
#[inline]
pub(super) fn hold_reserve() {}

#[cfg(not(all(feature = "heap", target_arch = "wasm32")))]
#[inline]
pub(super) fn release_reserve() -> bool {
    false
}

#[cfg(not(all(feature = "heap", target_arch = "wasm32")))]
#[inline]
pub(super) fn give_back() -> bool {
    false
}
