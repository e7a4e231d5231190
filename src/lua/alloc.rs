//! The allocator behind `lua_newstate`: counts every byte, refuses past the limit, never aborts.
//!
//! Keeps true: `used` is the sum of the sizes of Lua's live blocks. Not here: the memory of the whole module on wasm32,
//! which `js::heap` bounds.

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;

/// Lua's account. Its address is the allocator's userdata, so it stays in one place while the state lives.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Memory {
    /// First, because lua-5.4/port/ldo.c reads it there: most slots a Lua stack may have.
    stack_slots_max: Cell<c_int>,
    used: Cell<usize>,
    peak: Cell<usize>,
    limit: Cell<usize>,
}

/// Lua's strictest alignment (LUAI_MAXALIGN: long, double, void*, lua_Integer).
const ALIGN: usize = 8;

impl Memory {
    pub(crate) fn new(limit: usize, stack_slots_max: usize) -> Self {
        Memory {
            stack_slots_max: Cell::new(c_int::try_from(stack_slots_max).unwrap_or(c_int::MAX)),
            used: Cell::new(0),
            peak: Cell::new(0),
            limit: Cell::new(limit),
        }
    }

    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    pub(crate) fn peak(&self) -> usize {
        self.peak.get()
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit.get()
    }

    /// The `lua_Alloc` function; its userdata is a `Memory`.
    pub(crate) extern "C" fn allocate(
        memory: *mut c_void,
        block: *mut c_void,
        old_size: usize,
        new_size: usize,
    ) -> *mut c_void {
        // SAFETY: the runtime gave lua_newstate the address of its boxed `Memory`, which outlives the state. Only shared
        // references are ever made of it.
        let memory = unsafe { &*memory.cast::<Memory>() };
        // For a new block, `old_size` is the kind of object (manual, lua_Alloc).
        let old_size = if block.is_null() { 0 } else { old_size };
        let used = memory.used.get();
        if new_size == 0 {
            if !block.is_null() && old_size > 0 {
                memory.used.set(used - old_size);
                // SAFETY: Lua passes back a block of this allocator with its true size.
                unsafe { dealloc(block.cast(), layout(old_size)) };
            }
            return ptr::null_mut();
        }
        // `old_size <= used`: it is one of the live blocks.
        let after = used - old_size + new_size;
        // Lua assumes that shrinking cannot fail; it is never refused.
        if new_size > old_size && after > memory.limit.get() {
            return ptr::null_mut();
        }
        let Ok(new_layout) = Layout::from_size_align(new_size, ALIGN) else { return ptr::null_mut() };
        let moved = if old_size == 0 {
            // SAFETY: `new_size` is not 0.
            unsafe { alloc(new_layout) }
        } else {
            // SAFETY: the block and its true size come from Lua, and `new_size` is valid for a layout and not 0.
            unsafe { realloc(block.cast(), layout(old_size), new_size) }
        };
        if moved.is_null() {
            return if new_size <= old_size { block } else { ptr::null_mut() };
        }
        memory.used.set(after);
        memory.peak.set(memory.peak.get().max(after));
        moved.cast()
    }
}

fn layout(size: usize) -> Layout {
    // SAFETY: a layout of this size was valid when the block was allocated.
    unsafe { Layout::from_size_align_unchecked(size, ALIGN) }
}
