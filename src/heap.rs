//! The one allocator of the module: it alone grows the linear memory, and never past the limit.
//!
//! dlmalloc (the allocator of Rust's own wasm32 std) over a source of pages that knows the limit, with blocks
//! that grow where they are (`growth`). Everything counts: stack, static data, IO buffer, Lua's heap, Rust's
//! buffers. Before anything of Rust's is refused, Lua's garbage is collected (`lua::emergency`).

use crate::lua::emergency;
use core::arch::wasm32::{memory_grow, memory_size};
use dlmalloc::{Allocator, Dlmalloc};
use growth::{CHUNK_MIN, OVERHEAD, Source, UNIT};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::{Cell, UnsafeCell};
use std::ptr;

mod growth;

const PAGE_BYTES: usize = 64 * 1024;

/// Source of dlmalloc's memory: the pages of the module, up to a limit.
#[allow(clippy::struct_field_names, reason = "the others are no pages, but an address")]
struct Pages {
    limit_pages: Cell<usize>,
    /// Address of the heap; 0 before there is one.
    start: Cell<usize>,
    /// Pages that the next request adds, whatever it asks for; 0 if it gets what it asks for.
    next_pages: Cell<usize>,
}

// SAFETY: what `alloc` returns is fresh memory that nobody else uses: wasm memory only ever grows at its end,
// this is the only caller of memory.grow, and nothing lies between `heap_base` and the end of its page.
unsafe impl Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let pages = match self.next_pages.replace(0) {
            0 => size.div_ceil(PAGE_BYTES),
            pages => pages,
        };
        if memory_size(0) + pages > self.limit_pages.get() {
            return (ptr::null_mut(), 0, 0);
        }
        let before = memory_grow(0, pages);
        if before == usize::MAX {
            return (ptr::null_mut(), 0, 0);
        }
        // Static data ends within a page, and the heap begins there: Lua's limit is counted from `heap_base`.
        // When the rest of that page was lost, a script that filled memory used up what is reserved for Rust.
        let is_first = before == heap_base().div_ceil(PAGE_BYTES);
        let start = if is_first { heap_base().next_multiple_of(UNIT) } else { before * PAGE_BYTES };
        if is_first {
            self.start.set(start);
        }
        (ptr::with_exposed_provenance_mut(start), (before + pages) * PAGE_BYTES - start, 0)
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE_BYTES
    }
}

impl Source for Pages {
    fn start(&self) -> *mut u8 {
        ptr::with_exposed_provenance_mut(self.start.get())
    }

    fn len(&self) -> usize {
        memory_size(0) * PAGE_BYTES - self.start.get()
    }

    fn add_next(&self, bytes: usize) -> bool {
        let pages = bytes.div_ceil(PAGE_BYTES);
        let fits = pages <= self.limit_pages.get() - memory_size(0);
        if fits {
            self.next_pages.set(pages);
        }
        fits
    }
}

struct Heap(UnsafeCell<Dlmalloc<Pages>>);

// SAFETY: wasm32-unknown-unknown without atomics has one thread.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(Pages {
    // Until `exports::init` says otherwise: a test harness linked with this crate needs room of its own.
    limit_pages: Cell::new(usize::MAX / PAGE_BYTES),
    start: Cell::new(0),
    next_pages: Cell::new(0),
})));

impl Heap {
    #[allow(
        clippy::mut_from_ref,
        reason = "the one thread makes one borrow at a time: dlmalloc calls nothing of ours but Pages"
    )]
    fn get(&self) -> &mut Dlmalloc<Pages> {
        // SAFETY: see the reason above.
        unsafe { &mut *self.0.get() }
    }
}

// SAFETY: dlmalloc gives blocks of the size and alignment asked for, or null.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: size and alignment come from a valid layout.
        or_collect(layout.size(), || unsafe { growth::alloc(self.get(), layout.size(), layout.align()) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            // SAFETY: it has this size.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back a block with its layout.
        unsafe { growth::free(self.get(), block, layout.size()) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller gives a block with its layout; where there is no memory, it stays what it was.
        or_collect(new_size, || unsafe {
            growth::realloc(self.get(), block, layout.size(), layout.align(), new_size)
        })
    }
}

/// Asks dlmalloc; once more after a collection of Lua's garbage, and with the host's reserve. Null if there
/// is no memory then either.
#[inline]
fn or_collect(size: usize, ask: impl Fn() -> *mut u8) -> *mut u8 {
    let mut tries = 0;
    loop {
        let block = ask();
        if !block.is_null() || !emergency::find(tries, size) {
            return block;
        }
        tries += 1;
    }
}

/// Sets the most bytes that the linear memory may grow to; false when it is larger already.
pub fn set_limit(bytes: usize) -> bool {
    let pages = bytes / PAGE_BYTES;
    if memory_size(0) > pages {
        return false;
    }
    // SAFETY: one thread, no borrow is alive here.
    let heap = unsafe { &*HEAP.0.get() };
    heap.allocator().limit_pages.set(pages);
    true
}

/// True if a block of this size could be taken, without a collection of Lua's garbage.
#[cfg(feature = "jit")]
pub(crate) fn has_room(bytes: usize) -> bool {
    // SAFETY: the size is not 0, and the alignment is dlmalloc's own; the block goes back at once.
    unsafe {
        let block = HEAP.get().malloc(bytes, UNIT);
        if !block.is_null() {
            HEAP.get().free(block, bytes, UNIT);
        }
        !block.is_null()
    }
}

/// Largest size up to which each size is tried; above it one in two is.
const CHUNK_SMALL: usize = 128;

/// Head of a block that was taken.
struct Taken {
    before: *mut Taken,
    size: usize,
}

const _: () = assert!(size_of::<Taken>() <= CHUNK_MIN - OVERHEAD && align_of::<Taken>() <= UNIT);

/// Fills the memory that is free with zeros: what was freed is no part of an image. Takes all blocks there
/// are, the largest first, and gives them back; zeroing each when it is freed would cost programs a tenth of
/// their time.
#[allow(clippy::cast_ptr_alignment, reason = "blocks are aligned to `UNIT`, which is enough for a `Taken`")]
pub fn clear_free() {
    emergency::clear_free();
    // SAFETY: one thread, no borrow is alive here.
    let heap = unsafe { &*HEAP.0.get() };
    // Nothing is to be added meanwhile.
    let limit_pages = heap.allocator().limit_pages.replace(0);
    let mut last: *mut Taken = ptr::null_mut();
    let mut chunk = memory_size(0) * PAGE_BYTES;
    while chunk >= CHUNK_MIN {
        let size = chunk - OVERHEAD;
        loop {
            // SAFETY: `size` is not 0, and the alignment is dlmalloc's own.
            let block = unsafe { growth::malloc(HEAP.get(), size) };
            if block.is_null() {
                break;
            }
            // SAFETY: the block is new, of that size, which is enough for a `Taken`, and aligned for one.
            unsafe {
                block.write_bytes(0, size);
                block.cast::<Taken>().write(Taken { before: last, size });
            }
            last = block.cast();
        }
        chunk = if chunk > CHUNK_SMALL { (chunk / 2).next_multiple_of(UNIT) } else { chunk - UNIT };
    }
    while !last.is_null() {
        // SAFETY: it is one of those above.
        let Taken { before, size } = unsafe { last.replace(Taken { before: ptr::null_mut(), size: 0 }) };
        // SAFETY: it came from `malloc`, with that size and alignment.
        unsafe { growth::free(HEAP.get(), last.cast(), size) };
        last = before;
    }
    heap.allocator().limit_pages.set(limit_pages);
}

/// Address behind the stack: the stack grows down from it to 0.
pub fn stack_end() -> usize {
    unsafe extern "C" {
        // The linker's symbol: only its address means something.
        static __stack_high: u8;
    }
    (&raw const __stack_high).addr()
}

/// Bytes before the heap: stack, static data, IO buffer.
pub fn heap_base() -> usize {
    unsafe extern "C" {
        // The linker's symbol: only its address means something.
        static __heap_base: u8;
    }
    (&raw const __heap_base).addr()
}
