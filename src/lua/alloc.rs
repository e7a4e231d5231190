//! The allocator behind `lua_newstate`: counts every byte, refuses past the limit, never aborts.
//!
//! Keeps true: `used` is the sum of the sizes of Lua's live blocks. Small ones lie in slabs (`slabs`), large
//! ones are blocks of the global allocator. A script may fill the memory up to a reserve; only the host's
//! own steps (compiling a chunk, bringing in arguments) may use that, so that a VM which a script has filled
//! to the brim still takes the call that clears it.
//!
//! The limit counts what large blocks and slabs take on wasm32, where it is that of the whole memory;
//! natively `used`, to the byte.
//!
//! A refusal is noted, so that the error can say how much there was. Lua collects garbage before it gives up;
//! so this never does.
//!
//! Not here: the memory of the whole module on wasm32, which `heap` bounds; garbage that is in the way of
//! Rust's own buffers there (`emergency`).

use super::emergency;
use super::slabs::{SLAB_ALIGN, SLAB_BYTES, SMALL_BYTES_MAX, Slabs};
use crate::limits::HOST_RESERVE_BYTES;
use std::alloc::{Layout, alloc, dealloc, realloc};
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;

/// Lua's account. Its address is the allocator's userdata, so it stays in one place while the state lives.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Memory {
    // The first ones, up to the current slabs, are read by C (lua-5.4/port/memory.h).
    /// Slots that a Lua stack may have at most.
    stack_slots_max: Cell<c_int>,
    /// `MARK`.
    mark: u32,
    /// Most that Lua may take now.
    ceiling: Cell<usize>,
    used: Cell<usize>,
    /// The most that `used` was before it became less.
    peak: Cell<usize>,
    /// The part of `used` that is in large blocks.
    large: Cell<usize>,
    /// Bytes that large blocks and slabs take, with what the global allocator adds to each; 0 where
    /// `COUNTS_ASKED`.
    footprint: Cell<usize>,
    /// The part of `footprint` that is slabs.
    slab_bytes: Cell<usize>,
    slabs: Slabs,
    /// Most that Lua may ever take.
    capacity: Cell<usize>,
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

/// True where the limit is one of the bytes that Lua asks for. On wasm32 it is that of the whole memory.
const COUNTS_ASKED: bool = !cfg!(target_arch = "wasm32");

/// Bytes that dlmalloc adds to a block on wasm32, and its unit.
const OVERHEAD: usize = 4;
const UNIT: usize = 8;

/// Lua's strictest alignment (`LUAI_MAXALIGN`: long, double, pointer, `lua_Integer`).
const ALIGN: usize = 8;

impl Memory {
    /// `capacity` is what of `limit` is left for Lua.
    pub(crate) fn new(limit: usize, capacity: usize, stack_slots_max: usize) -> Self {
        Memory {
            stack_slots_max: Cell::new(c_int::try_from(stack_slots_max).unwrap_or(c_int::MAX)),
            mark: MARK,
            ceiling: Cell::new(capacity),
            used: Cell::new(0),
            peak: Cell::new(0),
            large: Cell::new(0),
            footprint: Cell::new(0),
            slab_bytes: Cell::new(0),
            slabs: Slabs::new(),
            capacity: Cell::new(capacity),
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
        self.peak.get().max(self.used.get())
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
        let taken = (reserved + self.counted()).saturating_sub(freed);
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
        self.slabs.retire_all();
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
        let capacity = self.capacity.replace(self.counted() + HOST_RESERVE_BYTES);
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

    /// The `lua_Alloc` function; its userdata is a `Memory`. C takes and gives back small blocks by itself
    /// where it can (lua-5.4/port/slabs.h).
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
        let old = Block { address: block.cast(), size: old_size };
        if new_size == 0 {
            // SAFETY: Lua passes back a block of this allocator with its true size.
            unsafe { memory.release(old) };
            memory.set_used(old_size, 0);
            return ptr::null_mut();
        }
        #[cfg(test)]
        if new_size > old_size && memory.refuses() {
            return ptr::null_mut();
        }
        // SAFETY: as above.
        let new = unsafe { memory.resize(old, new_size) };
        #[cfg(test)]
        if memory.failing.get().is_some() {
            memory.slabs.retire_all();
        }
        if new.is_null() {
            memory.note_refusal(new_size, Memory::counted_of(old));
        } else {
            memory.set_used(old_size, new_size);
        }
        new.cast()
    }

    /// Gives a block back, if it is one.
    ///
    /// # Safety
    /// It is a block of this allocator with its size, and not used any more.
    unsafe fn release(&self, old: Block) {
        if old.is_small() {
            // SAFETY: the caller's promise; small blocks are from the slabs.
            let slab = unsafe { self.slabs.give(old.address) };
            if !slab.is_null() {
                // SAFETY: it has just come out of the slabs.
                unsafe { self.free_slab(slab) };
            }
        } else if old.size > 0 {
            self.large.set(self.large.get() - old.size);
            // SAFETY: the caller's promise; large blocks are from the global allocator.
            unsafe { self.give_back(old.address, layout_of(old.size)) };
        }
    }

    /// Makes a block of `new_size` bytes, not 0, out of an old one, if that is one, with the same content.
    /// Returns null when there is no memory; then the old block is what it was.
    ///
    /// # Safety
    /// `old` is a block of this allocator with its size. It is not used any more, unless null is returned.
    unsafe fn resize(&self, old: Block, new_size: usize) -> *mut u8 {
        // The limit refuses no block that shrinks.
        let bounded = new_size > old.size;
        if COUNTS_ASKED && bounded && self.used.get() - old.size + new_size > self.ceiling.get() {
            return ptr::null_mut();
        }
        if old.size > SMALL_BYTES_MAX && new_size > SMALL_BYTES_MAX {
            // SAFETY: the caller's promise.
            return unsafe { self.take_large(old, new_size) };
        }
        // SAFETY: the caller's promise; small blocks are from the slabs.
        let stride = if old.is_small() { unsafe { Slabs::stride(old.address) } } else { 0 };
        if old.is_small() && Slabs::stride_for(new_size) == stride {
            return old.address;
        }
        let new = match new_size {
            ..=SMALL_BYTES_MAX => self.take_small(new_size, bounded),
            // SAFETY: there is no old block.
            _ => unsafe { self.take_large(Block::NONE, new_size) },
        };
        if new.is_null() {
            return if new_size <= stride { old.address } else { new };
        }
        if old.size > 0 {
            // SAFETY: both blocks have so many bytes, and one of them is new; the old one is not used any
            // more.
            unsafe {
                ptr::copy_nonoverlapping(old.address, new, old.size.min(new_size));
                self.release(old);
            }
        }
        new
    }

    /// A new small block; null when there is no memory.
    fn take_small(&self, size: usize, bounded: bool) -> *mut u8 {
        let block = self.slabs.take(size);
        if !block.is_null() {
            return block;
        }
        self.add_slab(size, bounded);
        self.slabs.take_larger(size)
    }

    /// Adds a slab for blocks of a size, if there is memory.
    fn add_slab(&self, size: usize, bounded: bool) {
        // SAFETY: there is no old block.
        let slab = unsafe { self.ask(Block::NONE, SLAB, bounded) };
        if !slab.is_null() {
            self.slab_bytes.set(self.slab_bytes.get() + taken(slab, SLAB_BYTES));
            // SAFETY: it is new, and of this layout.
            unsafe { self.slabs.add(slab, size) };
        }
    }

    /// Gives a slab to the global allocator.
    ///
    /// # Safety
    /// It came from `add_slab`, and has just come out of the slabs.
    unsafe fn free_slab(&self, slab: *mut u8) {
        // SAFETY: the caller's promise.
        let taken = unsafe { self.give_back(slab, SLAB) };
        self.slab_bytes.set(self.slab_bytes.get() - taken);
    }

    /// Gives a block to the global allocator; returns the bytes that it took.
    ///
    /// # Safety
    /// It is one of the global allocator, of this layout, and not used any more.
    #[inline(never)]
    unsafe fn give_back(&self, block: *mut u8, layout: Layout) -> usize {
        let taken = taken(block, layout.size());
        self.count(taken, 0);
        // SAFETY: the caller's promise.
        unsafe { dealloc(block, layout) };
        taken
    }

    /// Gives slabs that no block uses to the global allocator; true if there was one.
    pub(super) fn free_idle(&self) -> bool {
        let mut found = false;
        loop {
            let slab = self.slabs.idle();
            if slab.is_null() {
                return found;
            }
            // SAFETY: it has just come out of the slabs.
            unsafe { self.free_slab(slab) };
            found = true;
        }
    }

    /// A large block, new or with the content of an old one, which is large, too. Null when there is no
    /// memory; then the old block is what it was.
    ///
    /// # Safety
    /// That of `resize`.
    unsafe fn take_large(&self, old: Block, size: usize) -> *mut u8 {
        let Ok(layout) = Layout::from_size_align(size, ALIGN) else { return ptr::null_mut() };
        // SAFETY: the caller's promise.
        let mut block = unsafe { self.ask(old, layout, size > old.size) };
        if block.is_null() && size <= old.size {
            // It cannot move to a smaller place, and stays.
            block = old.address;
        }
        if !block.is_null() {
            self.large.set(self.large.get() - old.size + size);
        }
        block
    }

    /// Asks the global allocator for a block, new or with the content of an old one of its own; again without
    /// what the compiler holds and the slabs that no block uses, and for the host without its reserve.
    ///
    /// # Safety
    /// `old` is none, or a block of the global allocator with the alignment of `layout`, whose size is not 0.
    unsafe fn ask(&self, old: Block, layout: Layout, bounded: bool) -> *mut u8 {
        let others = if old.size > 0 { taken(old.address, old.size) } else { 0 };
        loop {
            let allowed = COUNTS_ASKED || !bounded || self.has_room(others, layout.size());
            let block = if allowed {
                emergency::prevent(|| match old.size {
                    // SAFETY: the caller's promise.
                    0 => unsafe { alloc(layout) },
                    // SAFETY: the caller's promise.
                    _ => unsafe { realloc(old.address, layout_of(old.size), layout.size()) },
                })
            } else {
                ptr::null_mut()
            };
            if !block.is_null() {
                self.count(others, taken(block, layout.size()));
                return block;
            }
            if !emergency::give_back()
                && !self.free_idle()
                && (!allowed || self.is_for_script() || !emergency::release_reserve())
            {
                return block;
            }
        }
    }

    /// True if there may be a block of this size in place of what takes `others` bytes.
    fn has_room(&self, others: usize, size: usize) -> bool {
        (self.footprint.get() - others).saturating_add(padded(size)) <= self.ceiling.get()
    }

    /// Counts what the global allocator's blocks take.
    fn count(&self, less: usize, more: usize) {
        if !COUNTS_ASKED {
            self.footprint.set(self.footprint.get() - less + more);
        }
    }

    fn set_used(&self, less: usize, more: usize) {
        let used = self.used.get();
        self.peak.set(self.peak.get().max(used));
        self.used.set(used - less + more);
    }

    /// Bytes that the limit counts.
    fn counted(&self) -> usize {
        if COUNTS_ASKED { self.used.get() } else { self.footprint.get() }
    }

    /// Bytes of a block that the limit counts. A small one is a part of its slab, which stays.
    fn counted_of(block: Block) -> usize {
        if COUNTS_ASKED || block.size <= SMALL_BYTES_MAX {
            return if COUNTS_ASKED { block.size } else { 0 };
        }
        taken(block.address, block.size)
    }

    /// Fills the free blocks of slabs with zeros, and gives back slabs that no block uses.
    #[cfg(any(test, all(feature = "heap", target_arch = "wasm32")))]
    pub(super) fn clear_free(&self) {
        self.free_idle();
        self.slabs.clear();
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.free_idle();
    }
}

/// A block of Lua's; of size 0 if it is none.
#[derive(Debug, Clone, Copy)]
struct Block {
    address: *mut u8,
    size: usize,
}

impl Block {
    const NONE: Block = Block { address: ptr::null_mut(), size: 0 };

    fn is_small(self) -> bool {
        self.size > 0 && self.size <= SMALL_BYTES_MAX
    }
}

/// Layout of a slab.
const SLAB: Layout = match Layout::from_size_align(SLAB_BYTES, SLAB_ALIGN) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout"),
};

/// Bytes that a block of the global allocator takes. The rest of a chunk that is too small to be one stays
/// with its block, which no calculation can know: in the module, whose allocator we know, the size of the
/// chunk is read where dlmalloc keeps it, in the word before the block.
#[inline]
#[allow(clippy::cast_ptr_alignment, reason = "a block is aligned to two words")]
fn taken(block: *mut u8, size: usize) -> usize {
    #[cfg(all(feature = "heap", target_arch = "wasm32"))]
    {
        const FLAGS: usize = 7;
        let _ = size;
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

/// Bytes that a block of this size takes on wasm32, at least.
#[inline]
fn padded(size: usize) -> usize {
    size.saturating_add(OVERHEAD).checked_next_multiple_of(UNIT).unwrap_or(usize::MAX)
}

fn layout_of(size: usize) -> Layout {
    // SAFETY: a layout of this size was valid when the block was allocated.
    unsafe { Layout::from_size_align_unchecked(size, ALIGN) }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::Memory;
    use proptest::prelude::*;
    use std::ffi::c_void;
    use std::ptr;

    /// A block of Lua's, with what was written to it: each has its own sequence of bytes.
    struct Block {
        address: *mut u8,
        size: usize,
        seed: usize,
    }

    impl Block {
        fn byte(&self, at: usize) -> u8 {
            (self.seed.wrapping_mul(31) ^ at.wrapping_mul(7)) as u8
        }

        fn write(&self, from: usize) {
            // SAFETY: the block has these bytes.
            (from..self.size).for_each(|at| unsafe { self.address.add(at).write(self.byte(at)) });
        }

        fn check(&self, to: usize) {
            // SAFETY: as above.
            (0..to).for_each(|at| assert_eq!(unsafe { self.address.add(at).read() }, self.byte(at)));
        }
    }

    fn allocate(memory: &Memory, block: *mut u8, old_size: usize, new_size: usize) -> *mut u8 {
        let memory = ptr::from_ref(memory).cast_mut().cast::<c_void>();
        Memory::allocate(memory, block.cast(), old_size, new_size).cast()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Take(usize),
        Give(usize),
        Resize(usize, usize),
        Clear,
    }

    fn step() -> impl Strategy<Value = Step> {
        let size = || prop_oneof![4 => 1_usize..80, 4 => 1_usize..400, 1 => 400_usize..9000];
        prop_oneof![
            8 => size().prop_map(Step::Take),
            5 => any::<usize>().prop_map(Step::Give),
            3 => (any::<usize>(), size()).prop_map(|(which, size)| Step::Resize(which, size)),
            1 => Just(Step::Clear),
        ]
    }

    const LIMIT_BYTES: usize = 40_000;

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 3 } else { 200 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Random blocks: each byte of them is counted, they keep their content, and the limit is exact.
        #[test]
        fn blocks_and_accounts_are_those_of_a_model(steps in proptest::collection::vec(step(), 1..600)) {
            let memory = Memory::new(LIMIT_BYTES, LIMIT_BYTES, 1000);
            let mut blocks: Vec<Block> = Vec::new();
            let (mut used, mut peak) = (0, 0);
            for (seed, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Take(size) => {
                        // The size of a new block is the kind of an object.
                        let address = allocate(&memory, ptr::null_mut(), 5, size);
                        prop_assert_eq!(address.is_null(), used + size > LIMIT_BYTES);
                        if address.is_null() {
                            let taken = memory.refusal().map(|refusal| (refusal.wanted, refusal.taken));
                            prop_assert_eq!(taken, Some((size, used)));
                        } else {
                            prop_assert!(address.addr().is_multiple_of(8));
                            blocks.push(Block { address, size, seed });
                            blocks[blocks.len() - 1].write(0);
                            used += size;
                        }
                    }
                    Step::Give(which) if !blocks.is_empty() => {
                        let block = blocks.swap_remove(which % blocks.len());
                        block.check(block.size);
                        allocate(&memory, block.address, block.size, 0);
                        used -= block.size;
                    }
                    Step::Resize(which, size) if !blocks.is_empty() => {
                        let which = which % blocks.len();
                        let block = &mut blocks[which];
                        let new = allocate(&memory, block.address, block.size, size);
                        let refused = size > block.size && used - block.size + size > LIMIT_BYTES;
                        prop_assert_eq!(new.is_null(), refused);
                        if refused {
                            block.check(block.size);
                        } else {
                            used = used - block.size + size;
                            let kept = block.size.min(size);
                            (block.address, block.size) = (new, size);
                            block.check(kept);
                            block.write(kept);
                        }
                    }
                    Step::Clear => memory.clear_free(),
                    Step::Give(_) | Step::Resize(..) => {}
                }
                peak = peak.max(used);
                prop_assert_eq!((memory.used(), memory.peak()), (used, peak));
            }
            for block in &blocks {
                block.check(block.size);
                allocate(&memory, block.address, block.size, 0);
            }
            prop_assert_eq!((memory.used(), memory.large.get()), (0, 0));
            // Slabs without a block are given back.
            memory.free_idle();
            prop_assert!(memory.slabs.idle().is_null());
            prop_assert_eq!(memory.slab_bytes.get(), 0);
        }
    }

    /// Zeros in place of free blocks, but for links over what is in use.
    #[test]
    fn free_blocks_are_cleared() {
        const SIZE: usize = 40;
        let memory = Memory::new(1 << 20, 1 << 20, 1000);
        let blocks: Vec<*mut u8> = (0..500)
            .map(|_| {
                let block = allocate(&memory, ptr::null_mut(), 0, SIZE);
                // SAFETY: the block has these bytes.
                unsafe { block.write_bytes(0xA5, SIZE) };
                block
            })
            .collect();
        let is_kept = |at: usize| at.is_multiple_of(5);
        for at in (0..blocks.len()).map(|at| at * 7 % 500).filter(|&at| !is_kept(at)) {
            allocate(&memory, blocks[at], SIZE, 0);
        }
        memory.clear_free();
        for (at, &block) in blocks.iter().enumerate() {
            // SAFETY: its slab is there, because a fifth of its blocks is in use.
            let bytes = unsafe { std::slice::from_raw_parts(block, SIZE) };
            let rest = if is_kept(at) { &[0xA5; SIZE][..] } else { &[0; SIZE][..] };
            let link = if is_kept(at) { 0 } else { size_of::<usize>() };
            assert_eq!(bytes[link..], rest[link..], "{at}");
            // Three in four have their neighbour as the next one.
            if at % 5 < 4
                && !is_kept(at)
                && blocks.get(at + 1).is_some_and(|next| *next == block.wrapping_add(SIZE))
            {
                assert_eq!(bytes, rest, "{at}");
            }
        }
        for (_, &block) in blocks.iter().enumerate().filter(|&(at, _)| is_kept(at)) {
            allocate(&memory, block, SIZE, 0);
        }
        assert_eq!(memory.used(), 0);
    }
}
