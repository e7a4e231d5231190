//! Small blocks of Lua, from slabs: pieces of memory, each of which holds blocks of one size.
//!
//! Keeps true: a slab is aligned to `SLAB_BYTES`, so the address of a block leads to its slab, and no block
//! has a header. A slab with a free block is the current one of its class or in the list of its class. A slab
//! without a block in use leaves its list at once; only current ones stay.
//!
//! The free blocks of a slab are a list within it. Each begins with the distance from its own end to the next
//! one: zeros are a list of neighbours, so a slab that is cleared needs no other preparation, and the free
//! memory of an image is zeros but for the ends of holes. What the link of the last free block says is not
//! read.
//!
//! The same is done by C, where it is quickest (lua-5.4/port/slabs.h), while the current slab has what is
//! wanted. Not here: where slabs come from and when they go back, and the account of bytes (`alloc`).

#![allow(clippy::cast_ptr_alignment, reason = "slabs are aligned to `SLAB_ALIGN`, and blocks to 8")]

use std::cell::Cell;
use std::ptr;

/// Largest size of a small block, in bytes.
pub(super) const SMALL_BYTES_MAX: usize = 256;

/// Alignment of a slab, and of what it takes with the word that an allocator keeps for it. So slabs lie side
/// by side.
pub(super) const SLAB_ALIGN: usize = 2048;
/// Size of a slab, in bytes.
pub(super) const SLAB_BYTES: usize = SLAB_ALIGN - size_of::<usize>();

/// Classes of sizes: each multiple of 8 up to 128, each multiple of 32 from there on.
const CLASSES: usize = 20;
const FINE_BYTES_MAX: usize = 128;

/// The class of a size from 1 to `SMALL_BYTES_MAX`: `perilune_class` of C.
#[inline]
fn class_of(size: usize) -> usize {
    if size <= FINE_BYTES_MAX { size.div_ceil(8) - 1 } else { (size - FINE_BYTES_MAX).div_ceil(32) + 15 }
}

/// Size of the blocks of a class, in bytes.
#[inline]
fn stride_of(class: usize) -> usize {
    if class < 16 { (class + 1) * 8 } else { FINE_BYTES_MAX + (class - 15) * 32 }
}

/// Blocks of a slab.
#[inline]
fn capacity_of(stride: usize) -> u8 {
    ((SLAB_BYTES - size_of::<Slab>()) / stride) as u8
}

/// `Slab::whole` of a current slab, which stays when all its blocks are free.
const NEVER: u8 = u8::MAX;

/// Head of a slab: `struct perilune_slab` of C. The blocks follow it.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Slab {
    /// The first free block, if there is one.
    free: Cell<*mut u8>,
    /// Number of free blocks.
    available: Cell<u8>,
    /// Number of free blocks with which the slab goes back: all of them, or `NEVER`.
    whole: Cell<u8>,
    /// Size of a block.
    stride: Cell<u16>,
    /// Neighbours in the list of the class.
    before: Cell<*const Slab>,
    after: Cell<*const Slab>,
}

const _: () = assert!(size_of::<Slab>().is_multiple_of(8) && align_of::<Slab>() <= 8);
const _: () = assert!((SLAB_BYTES - size_of::<Slab>()) / 8 < NEVER as usize);
const _: () = assert!((SLAB_BYTES - size_of::<Slab>()) / SMALL_BYTES_MAX > 1);

/// A slab without blocks, which is current where a class has none. It is never written to.
struct Empty(Slab);

// SAFETY: nothing writes to it: it has no block to take, and none can be given to it.
unsafe impl Sync for Empty {}

static EMPTY: Empty = Empty(Slab {
    free: Cell::new(ptr::null_mut()),
    available: Cell::new(0),
    whole: Cell::new(NEVER),
    stride: Cell::new(0),
    before: Cell::new(ptr::null()),
    after: Cell::new(ptr::null()),
});

/// The slabs of one account.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Slabs {
    // Read by C (lua-5.4/port/memory.h).
    /// The slab of each class that blocks are taken from; `EMPTY` where there is none.
    current: [Cell<*const Slab>; CLASSES],
    /// The other slabs of each class that have free blocks; null where there are none.
    others: [Cell<*const Slab>; CLASSES],
}

impl Slabs {
    pub(super) const fn new() -> Self {
        Slabs {
            current: [const { Cell::new(&raw const EMPTY.0) }; CLASSES],
            others: [const { Cell::new(ptr::null()) }; CLASSES],
        }
    }

    /// Takes a block of `size` bytes, 1 to `SMALL_BYTES_MAX`, from a slab of its class; null if none has one.
    pub(super) fn take(&self, size: usize) -> *mut u8 {
        self.take_from(class_of(size))
    }

    /// Takes a block of the class of `size` bytes, or else of a larger one; null if there is none either.
    pub(super) fn take_larger(&self, size: usize) -> *mut u8 {
        let mut class = class_of(size);
        loop {
            let block = self.take_from(class);
            class += 1;
            if !block.is_null() || class == CLASSES {
                return block;
            }
        }
    }

    fn take_from(&self, class: usize) -> *mut u8 {
        if slab(self.current[class].get()).available.get() == 0 {
            self.retire(class);
            let next = self.others[class].get();
            if next.is_null() {
                return ptr::null_mut();
            }
            self.unlink(class, next);
            slab(next).whole.set(NEVER);
            self.current[class].set(next);
        }
        slab(self.current[class].get()).pop()
    }

    /// Makes a slab for blocks of `size` bytes, which is current now.
    ///
    /// # Safety
    /// `memory` is `SLAB_BYTES` bytes, aligned to `SLAB_ALIGN`, that are the slab's until `give` or `idle`
    /// return it.
    pub(super) unsafe fn add(&self, memory: *mut u8, size: usize) {
        let class = class_of(size);
        self.retire(class);
        // SAFETY: the caller's promise; zeros are a list of all blocks.
        let new = unsafe {
            memory.write_bytes(0, SLAB_BYTES);
            let new = memory.cast::<Slab>();
            new.write(Slab {
                free: Cell::new(memory.add(size_of::<Slab>())),
                available: Cell::new(capacity_of(stride_of(class))),
                whole: Cell::new(NEVER),
                stride: Cell::new(stride_of(class) as u16),
                before: Cell::new(ptr::null()),
                after: Cell::new(ptr::null()),
            });
            new
        };
        self.current[class].set(new);
    }

    /// Gives a block back. Returns its slab if that has no other in use: then it is not one of these any
    /// more.
    ///
    /// # Safety
    /// `take` or `take_larger` of these slabs returned the block, and it is not used any more.
    pub(super) unsafe fn give(&self, block: *mut u8) -> *mut u8 {
        let address: *const Slab = slab_of(block);
        let home = slab(address);
        let class = class_of(home.stride.get().into());
        let available = home.available.get();
        home.push(block);
        if ptr::eq(address, self.current[class].get()) {
            return ptr::null_mut();
        }
        if available == 0 {
            self.link(class, address);
        }
        if available + 1 < home.whole.get() {
            return ptr::null_mut();
        }
        self.unlink(class, address);
        address.cast_mut().cast()
    }

    /// Bytes that a block has room for.
    ///
    /// # Safety
    /// `take` or `take_larger` returned the block, which is in use.
    pub(super) unsafe fn stride(block: *mut u8) -> usize {
        slab(slab_of(block)).stride.get().into()
    }

    /// Bytes that a new block of this size has room for; 0 if it is no small one.
    pub(super) fn stride_for(size: usize) -> usize {
        if size <= SMALL_BYTES_MAX { stride_of(class_of(size)) } else { 0 }
    }

    /// Takes out a slab without a block in use; null if there is none.
    pub(super) fn idle(&self) -> *mut u8 {
        for class in 0..CLASSES {
            let current = self.current[class].get();
            if slab(current).is_idle() {
                self.current[class].set(&raw const EMPTY.0);
                return current.cast_mut().cast();
            }
            // Others go back by `give`; only tests retire slabs that are not full.
            #[cfg(test)]
            if let Some(idle) = self.others(class).find(|&other| slab(other).is_idle()) {
                self.unlink(class, idle);
                return idle.cast_mut().cast();
            }
        }
        ptr::null_mut()
    }

    /// Fills the free blocks with zeros, but for links over what is in use.
    #[cfg(any(test, all(feature = "heap", target_arch = "wasm32")))]
    pub(super) fn clear(&self) {
        for class in 0..CLASSES {
            slab(self.current[class].get()).clear();
            self.others(class).for_each(|other| slab(other).clear());
        }
    }

    /// Ends that C takes blocks by itself, until `take` is called.
    #[cfg(test)]
    pub(super) fn retire_all(&self) {
        (0..CLASSES).for_each(|class| self.retire(class));
    }

    /// Lets go of the current slab of a class, which is full, or in tests one of the others from now on.
    fn retire(&self, class: usize) {
        let old = self.current[class].replace(&raw const EMPTY.0);
        if slab(old).stride.get() == 0 {
            return;
        }
        slab(old).whole.set(capacity_of(slab(old).stride.get().into()));
        #[cfg(test)]
        if slab(old).available.get() > 0 {
            self.link(class, old);
        }
    }

    #[cfg(any(test, all(feature = "heap", target_arch = "wasm32")))]
    fn others(&self, class: usize) -> impl Iterator<Item = *const Slab> {
        let some = |address: *const Slab| (!address.is_null()).then_some(address);
        std::iter::successors(some(self.others[class].get()), move |&other| some(slab(other).after.get()))
    }

    fn link(&self, class: usize, new: *const Slab) {
        let next = self.others[class].replace(new);
        slab(new).before.set(ptr::null());
        slab(new).after.set(next);
        if !next.is_null() {
            slab(next).before.set(new);
        }
    }

    fn unlink(&self, class: usize, old: *const Slab) {
        let (before, after) = (slab(old).before.get(), slab(old).after.get());
        if before.is_null() {
            self.others[class].set(after);
        } else {
            slab(before).after.set(after);
        }
        if !after.is_null() {
            slab(after).before.set(before);
        }
    }
}

/// Start of the slab of a block.
fn slab_of(block: *mut u8) -> *const Slab {
    block.map_addr(|address| address - address % SLAB_ALIGN).cast_const().cast()
}

/// The slab at an address of `Slabs`, of its lists, or of `slab_of`.
fn slab<'slab>(address: *const Slab) -> &'slab Slab {
    // SAFETY: these are addresses of slabs that are there, or of `EMPTY`. A slab is all cells, and its blocks
    // are no part of what is borrowed.
    unsafe { &*address }
}

impl Slab {
    fn is_idle(&self) -> bool {
        let stride = self.stride.get();
        stride != 0 && self.available.get() == capacity_of(stride.into())
    }

    /// Takes the first free block. There is one.
    fn pop(&self) -> *mut u8 {
        let block = self.free.get();
        // SAFETY: a free block begins with its link.
        let link = unsafe { block.cast::<isize>().read() };
        self.free.set(block.wrapping_offset(link + self.stride.get() as isize));
        self.available.set(self.available.get() - 1);
        block
    }

    fn push(&self, block: *mut u8) {
        let end = block.addr() + usize::from(self.stride.get());
        let link = if self.available.get() == 0 { 0 } else { self.free.get().addr().wrapping_sub(end) };
        // SAFETY: the block is not used any more, and has room for a link.
        unsafe { block.cast::<usize>().write(link) };
        self.free.set(block);
        self.available.set(self.available.get() + 1);
    }

    /// Fills the free blocks with zeros, and makes their list anew in the order of their addresses.
    #[cfg(any(test, all(feature = "heap", target_arch = "wasm32")))]
    fn clear(&self) {
        let stride = usize::from(self.stride.get());
        let mut is_free = [false; SLAB_ALIGN / 8];
        let mut next = self.free.get();
        let start = next.map_addr(|address| address - address % SLAB_ALIGN);
        for _ in 0..self.available.replace(0) {
            is_free[(next.addr() % SLAB_ALIGN) / 8] = true;
            // SAFETY: a free block begins with its link, and there are as many as the slab says.
            let link = unsafe { next.cast::<isize>().read() };
            next = next.wrapping_offset(link + stride as isize);
        }
        let mut at = is_free.len();
        while at > 0 {
            at -= 1;
            if is_free[at] {
                let block = start.wrapping_add(at * 8);
                // SAFETY: a free block of this slab.
                unsafe { block.write_bytes(0, stride) };
                self.push(block);
            }
        }
    }
}
