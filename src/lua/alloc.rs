//! The allocator behind `lua_newstate`: counts every byte, refuses past the limit, never aborts.
//!
//! Keeps true: `used` is the sum of the sizes of Lua's live blocks. A script may fill the memory up to a
//! reserve; only the host's own steps (compiling a chunk, bringing in arguments) may use that, so that a VM
//! which a script has filled to the brim still takes the call that clears it.
//!
//! A refusal is noted, so that the error can say how much there was. Lua collects garbage before it gives up;
//! so this never does.
//!
//! Not here: the memory of the whole module on wasm32, which `heap` bounds; garbage that is in the way of
//! Rust's own buffers there (`emergency`).

use super::emergency;
use crate::limits::HOST_RESERVE_BYTES;
use std::alloc::{Layout, alloc, dealloc, realloc};
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;

/// Lua's account. Its address is the allocator's userdata, so it stays in one place while the state lives.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Memory {
    // The first four are read by C (lua-5.4/port/memory.h).
    /// Slots that a Lua stack may have at most.
    stack_slots_max: Cell<c_int>,
    /// `MARK`.
    mark: u32,
    /// `used`, with what the allocator adds to each block.
    footprint: Cell<usize>,
    /// Most that `footprint` may be now.
    ceiling: Cell<usize>,
    /// Most that `footprint` may ever be.
    capacity: Cell<usize>,
    used: Cell<usize>,
    peak: Cell<usize>,
    limit: Cell<usize>,
    refusal: Cell<Option<Refusal>>,
    /// Growing allocations that tests let pass, and how many after those are refused.
    #[cfg(test)]
    failing: Cell<Option<(usize, usize)>>,
    #[cfg(test)]
    refused: Cell<bool>,
}

/// One request for memory that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Bytes that were wanted.
    pub(crate) wanted: usize,
    /// Bytes of the limit that were taken or reserved then.
    pub(crate) taken: usize,
}

/// Mark of an allocator's userdata as a `Memory`: `PERILUNE_MEMORY_MARK` of C.
const MARK: u32 = 0x6C75_6E65;

/// Bytes that the allocator adds to a block, and its unit: dlmalloc's on wasm32, where the limit is that of
/// the whole memory. Natively the limit is one of Lua's own bytes.
const OVERHEAD: (usize, usize) = if cfg!(target_arch = "wasm32") { (4, 8) } else { (0, 1) };

/// Lua's strictest alignment (`LUAI_MAXALIGN`: long, double, pointer, `lua_Integer`).
const ALIGN: usize = 8;

impl Memory {
    /// `capacity` is what of `limit` is left for Lua.
    pub(crate) fn new(limit: usize, capacity: usize, stack_slots_max: usize) -> Self {
        Memory {
            stack_slots_max: Cell::new(c_int::try_from(stack_slots_max).unwrap_or(c_int::MAX)),
            mark: MARK,
            footprint: Cell::new(0),
            ceiling: Cell::new(capacity),
            capacity: Cell::new(capacity),
            used: Cell::new(0),
            peak: Cell::new(0),
            limit: Cell::new(limit),
            refusal: Cell::new(None),
            #[cfg(test)]
            failing: Cell::new(None),
            #[cfg(test)]
            refused: Cell::new(false),
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

    /// The last refusal since `forget_refusal`.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal.get()
    }

    pub(crate) fn forget_refusal(&self) {
        self.refusal.set(None);
    }

    /// Notes that somebody got no memory. `freed` is what the request would have given back.
    #[cold]
    pub(super) fn note_refusal(&self, wanted: usize, freed: usize) {
        let reserved = self.limit.get() - self.ceiling.get().min(self.limit.get());
        let taken = (reserved + self.footprint.get()).saturating_sub(freed);
        self.refusal.set(Some(Refusal { wanted, taken }));
    }

    /// Other limits from now on, while the host allocates: those of `new`.
    #[cfg(all(feature = "exports", target_arch = "wasm32"))]
    pub(crate) fn set_limit(&self, limit: usize, capacity: usize, stack_slots_max: usize) {
        self.limit.set(limit);
        self.capacity.set(capacity);
        self.stack_slots_max.set(c_int::try_from(stack_slots_max).unwrap_or(c_int::MAX));
        self.for_host();
    }

    /// Gives Lua so many bytes from now on, while the host allocates.
    pub(crate) fn set_lua_bytes(&self, bytes: usize) {
        self.limit.set(bytes);
        self.capacity.set(bytes);
        self.for_host();
    }

    /// Lets `passed` growing allocations succeed, and refuses the `refused` ones after them.
    #[cfg(test)]
    pub(crate) fn fail_allocations(&self, passed: usize, refused: usize) {
        self.failing.set(Some((passed, refused)));
    }

    /// Ends `fail_allocations`, and says whether it refused any.
    #[cfg(test)]
    pub(crate) fn reset_failures(&self) -> bool {
        self.failing.set(None);
        self.refused.replace(false)
    }

    /// Lets no block be added to those there are, for the script; returns what was the capacity before.
    #[cfg(test)]
    pub(crate) fn fill(&self) -> usize {
        let capacity = self.capacity.replace(self.footprint.get() + HOST_RESERVE_BYTES);
        self.for_host();
        capacity
    }

    /// Ends `fill`.
    #[cfg(test)]
    pub(crate) fn unfill(&self, capacity: usize) {
        self.capacity.set(capacity);
        self.for_host();
    }

    #[cfg(test)]
    fn refuses(&self) -> bool {
        let (refuses, next) = match self.failing.get() {
            Some((0, 1)) => (true, None),
            Some((0, refused)) => (true, Some((0, refused - 1))),
            Some((passed, refused)) => (false, Some((passed - 1, refused))),
            None => (false, None),
        };
        self.failing.set(next);
        self.refused.set(self.refused.get() || refuses);
        refuses
    }

    /// Sets the limit of a script, which allocates next.
    #[inline]
    pub(crate) fn for_script(&self) {
        self.ceiling.set(self.capacity.get() - HOST_RESERVE_BYTES);
        emergency::hold_reserve();
    }

    /// Sets the limit of the host, which allocates next.
    #[inline]
    pub(crate) fn for_host(&self) {
        self.ceiling.set(self.capacity.get());
    }

    /// True if a script allocates now, false if the host does.
    #[inline]
    pub(crate) fn is_for_script(&self) -> bool {
        self.ceiling.get() != self.capacity.get()
    }

    /// The `lua_Alloc` function; its userdata is a `Memory`.
    pub(crate) extern "C" fn allocate(
        memory: *mut c_void,
        block: *mut c_void,
        old_size: usize,
        new_size: usize,
    ) -> *mut c_void {
        // SAFETY: the runtime gave lua_newstate the address of its boxed `Memory`, which outlives the state.
        // Only shared references are ever made of it.
        let memory = unsafe { &*memory.cast::<Memory>() };
        // For a new block, `old_size` is the kind of object (manual, lua_Alloc).
        let old_size = if block.is_null() { 0 } else { old_size };
        // `old_size` is counted: it is one of the live blocks.
        let used = memory.used.get() - old_size + new_size;
        let others = memory.footprint.get() - taken(block, old_size);
        if new_size == 0 {
            if !block.is_null() && old_size > 0 {
                // SAFETY: Lua passes back a block of this allocator with its true size.
                unsafe { dealloc(block.cast(), layout(old_size)) };
            }
            memory.used.set(used);
            memory.footprint.set(others);
            return ptr::null_mut();
        }
        // Lua assumes that shrinking cannot fail; it is never refused.
        if new_size > old_size && others + padded(new_size) > memory.ceiling.get() {
            memory.note_refusal(new_size, taken(block, old_size));
            return ptr::null_mut();
        }
        #[cfg(test)]
        if new_size > old_size && memory.refuses() {
            return ptr::null_mut();
        }
        let Ok(new_layout) = Layout::from_size_align(new_size, ALIGN) else { return ptr::null_mut() };
        let moved = loop {
            let moved = emergency::prevent(|| {
                if old_size == 0 {
                    // SAFETY: `new_size` is not 0.
                    unsafe { alloc(new_layout) }
                } else {
                    // SAFETY: the block and its true size come from Lua, and `new_size` is valid for a layout
                    // and not 0.
                    unsafe { realloc(block.cast(), layout(old_size), new_size) }
                }
            });
            // The host has a reserve, which it gives up once.
            let again = moved.is_null()
                && (emergency::give_back() || !memory.is_for_script() && emergency::release_reserve());
            if !again {
                break moved;
            }
        };
        let result = if !moved.is_null() {
            moved.cast()
        } else if new_size <= old_size {
            block
        } else {
            memory.note_refusal(new_size, taken(block, old_size));
            return ptr::null_mut();
        };
        memory.used.set(used);
        memory.footprint.set(others + taken(result, new_size));
        memory.peak.set(memory.peak.get().max(used));
        result
    }
}

/// Bytes that a block takes. The rest of a chunk that is too small to be one stays with its block, which no
/// calculation can know: in the module, whose allocator we know, the size of the chunk is read where dlmalloc
/// keeps it, in the word before the block.
#[inline]
fn taken(block: *mut c_void, size: usize) -> usize {
    if size == 0 {
        return 0;
    }
    #[cfg(all(feature = "heap", target_arch = "wasm32"))]
    {
        const FLAGS: usize = 7;
        // SAFETY: a live block of the module's one allocator (heap), in front of which its chunk's head
        // lies.
        (unsafe { block.cast::<usize>().sub(1).read() }) & !FLAGS
    }
    #[cfg(not(all(feature = "heap", target_arch = "wasm32")))]
    {
        let _ = block;
        padded(size)
    }
}

/// Bytes that a block of this size takes, at least.
#[inline]
fn padded(size: usize) -> usize {
    let (overhead, unit) = OVERHEAD;
    if size == 0 { 0 } else { (size + overhead).next_multiple_of(unit) }
}

fn layout(size: usize) -> Layout {
    // SAFETY: a layout of this size was valid when the block was allocated.
    unsafe { Layout::from_size_align_unchecked(size, ALIGN) }
}
