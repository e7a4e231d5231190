//! Blocks that grow where they are, and the last of the memory: what dlmalloc does not do by itself.
//!
//! dlmalloc asks its source for all of what it wants, not for what is missing at the end of its memory, and a
//! block that does not fit where it is needs a second place for the time of a copy. In a memory that has a
//! limit, a block of a third of it could not double.
//!
//! Keeps true: the memory is one piece that grows at its end, so its last chunk is dlmalloc's `top`. What is
//! read of a chunk is its head, the word before a block (its size, and whether it and the one before it are
//! in use), and the size of a free chunk before it, in the word before the head. Nothing of it is written.
//! So the version of the crate is pinned.

#![allow(clippy::cast_ptr_alignment, reason = "chunks are aligned to `UNIT`, and their heads to a word")]

use dlmalloc::{Allocator, Dlmalloc};
use std::ptr;

const WORD: usize = size_of::<usize>();
/// Alignment of every block, and the unit of the sizes of chunks.
pub(super) const UNIT: usize = 2 * WORD;
/// Bytes that dlmalloc adds to a block.
pub(super) const OVERHEAD: usize = WORD;
/// Size of the smallest chunk.
pub(super) const CHUNK_MIN: usize = 4 * WORD;

/// Bits of a head: the chunk before is in use, this one is.
const BEFORE_IN_USE: usize = 1;
const IN_USE: usize = 2;
const FLAGS: usize = 7;

/// Bytes at the start of a block that dlmalloc may write to when it frees the block after a free chunk: the
/// links of that chunk, and its place in a tree. It also writes to the last word.
const WRITTEN: usize = 8 * WORD;

/// Memory that grows at its end, up to a limit.
pub(super) trait Source: Allocator {
    /// Address of the first byte; null before there is any.
    fn start(&self) -> *mut u8;
    /// Bytes from `start` to the end.
    fn len(&self) -> usize;
    /// Makes the next `alloc` add these bytes, or as many more as make a page, whatever it is asked for.
    /// False if there may not be so many, or if so many make no difference.
    fn add_next(&self, bytes: usize) -> bool;
}

/// A chunk of dlmalloc's, by its address: that of the word before its head.
#[derive(Clone, Copy)]
struct Chunk(*mut u8);

impl Chunk {
    fn of(block: *mut u8) -> Chunk {
        Chunk(block.wrapping_sub(UNIT))
    }

    fn block(self) -> *mut u8 {
        self.0.wrapping_add(UNIT)
    }

    fn head(self) -> usize {
        // SAFETY: chunks lie side by side from the start of the memory to its last one, and each has a head.
        unsafe { self.0.wrapping_add(WORD).cast::<usize>().read() }
    }

    fn size(self) -> usize {
        self.head() & !FLAGS
    }

    fn is_free(self) -> bool {
        self.head() & IN_USE == 0
    }

    fn next(self) -> Chunk {
        Chunk(self.0.wrapping_add(self.size()))
    }

    /// The chunk before this one, if it is free.
    fn free_before(self) -> Option<Chunk> {
        if self.head() & BEFORE_IN_USE != 0 {
            return None;
        }
        // SAFETY: a free chunk ends with its size.
        let size = unsafe { self.0.cast::<usize>().read() };
        Some(Chunk(self.0.wrapping_sub(size)))
    }

    /// True for the last chunk, behind which is nothing but what dlmalloc keeps there: the head of that says
    /// how much it is.
    fn is_top(self, source: &impl Source) -> bool {
        let end = source.start().addr() + source.len();
        self.is_free() && end.wrapping_sub(self.next().0.addr()) == self.next().size()
    }
}

/// Size of the chunk of a block, whose size is that of a layout: so it is far from the largest number.
fn chunk_size(size: usize) -> usize {
    (size + OVERHEAD).next_multiple_of(UNIT).max(CHUNK_MIN)
}

/// A new block. Null when there is no memory.
///
/// # Safety
/// Size and alignment are those of a layout.
pub(super) unsafe fn alloc<S: Source>(heap: &mut Dlmalloc<S>, size: usize, align: usize) -> *mut u8 {
    // SAFETY: any size will do.
    let block = unsafe { malloc(heap, size) };
    if block.is_null() {
        // SAFETY: it is.
        return if align > UNIT { block } else { unsafe { alloc_at_end(heap, size) } };
    }
    // The hole that a block with its alignment left is what is wanted. dlmalloc looks for one with room for
    // any alignment, and would never fill it.
    if align <= UNIT || block.addr().is_multiple_of(align) {
        return block;
    }
    // SAFETY: it is a block of that size; size and alignment are those of a layout.
    unsafe {
        free(heap, block, size);
        heap.malloc(size, align)
    }
}

/// A new block, where dlmalloc has no chunk for it, nor pages for all of it: with what is left at the end of
/// its memory, and only what is missing there. Null when there is no memory.
///
/// # Safety
/// `malloc` of this heap has just returned null for a block of this size.
#[cold]
unsafe fn alloc_at_end<S: Source>(heap: &mut Dlmalloc<S>, size: usize) -> *mut u8 {
    let source = heap.allocator();
    if source.start().is_null() {
        return ptr::null_mut();
    }
    let mut last = Chunk(source.start());
    while !last.is_top(source) {
        last = last.next();
    }
    // Something of the last chunk must be left.
    if !source.add_next(chunk_size(size).saturating_sub(last.size()) + UNIT) {
        return ptr::null_mut();
    }
    add(heap);
    // SAFETY: any size will do.
    unsafe { malloc(heap, size) }
}

/// Has the source add what `add_next` was told.
fn add<S: Source>(heap: &mut Dlmalloc<S>) {
    /// More than any chunk has, and less than what dlmalloc refuses without asking.
    const TOO_MUCH: usize = usize::MAX - (1 << 17);
    // SAFETY: any size will do.
    let block = unsafe { malloc(heap, TOO_MUCH) };
    debug_assert!(block.is_null(), "there is no such memory");
}

/// dlmalloc's own, which the compiler would write down where it is called.
///
/// # Safety
/// None is needed.
#[inline(never)]
pub(super) unsafe fn malloc<S: Source>(heap: &mut Dlmalloc<S>, size: usize) -> *mut u8 {
    // SAFETY: any size will do.
    unsafe { heap.c_malloc(size) }
}

/// dlmalloc's own, as above.
///
/// # Safety
/// It is a block of this heap, of this size.
#[inline(never)]
pub(super) unsafe fn free<S: Source>(heap: &mut Dlmalloc<S>, block: *mut u8, size: usize) {
    // SAFETY: the caller's promise. The alignment is not looked at.
    unsafe { heap.free(block, size, UNIT) }
}

/// dlmalloc's own, as above.
///
/// # Safety
/// It is a block of this heap.
#[inline(never)]
unsafe fn resize<S: Source>(heap: &mut Dlmalloc<S>, block: *mut u8, new_size: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe { heap.c_realloc(block, new_size) }
}

/// A block with the content of the old one, which grows where it is as far as there is a way. Null when there
/// is no memory; then the old block is what it was.
///
/// # Safety
/// `block` is one of this heap with this size and alignment.
pub(super) unsafe fn realloc<S: Source>(
    heap: &mut Dlmalloc<S>,
    block: *mut u8,
    old_size: usize,
    align: usize,
    new_size: usize,
) -> *mut u8 {
    if align > UNIT {
        // SAFETY: the caller's promise; the new block has no less than what is copied.
        return unsafe {
            let new = alloc(heap, new_size, align);
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, old_size.min(new_size));
                free(heap, block, old_size);
            }
            new
        };
    }
    let chunk = Chunk::of(block);
    let wanted = chunk_size(new_size);
    if wanted > chunk.size()
        && chunk.next().is_top(heap.allocator())
        && chunk.size() + chunk.next().size() <= wanted
        && heap.allocator().add_next(wanted - chunk.size() - chunk.next().size() + UNIT)
    {
        add(heap);
    }
    // SAFETY: the caller's promise.
    let moved = unsafe { resize(heap, block, new_size) };
    if moved.is_null() && old_size >= WRITTEN && new_size > old_size {
        // SAFETY: the caller's promise; there is no chunk of that size.
        return unsafe { move_down(heap, block, old_size, new_size) };
    }
    moved
}

/// Moves a block into the free chunk before it, of which it takes the place, if it can grow there. Null if
/// not.
///
/// # Safety
/// That of `realloc`, with `WRITTEN` bytes or more, and this heap has no free chunk of the new size.
#[cold]
unsafe fn move_down<S: Source>(
    heap: &mut Dlmalloc<S>,
    block: *mut u8,
    old_size: usize,
    new_size: usize,
) -> *mut u8 {
    let chunk = Chunk::of(block);
    let Some(before) = chunk.free_before() else { return ptr::null_mut() };
    let next = chunk.next();
    let together = before.size() + chunk.size() + if next.is_free() { next.size() } else { 0 };
    // At first as much as keeps the end of the old content out of what dlmalloc writes to.
    let first = chunk_size(new_size).max(before.size() + chunk.size());
    if next.is_top(heap.allocator()) {
        if together <= first {
            if !heap.allocator().add_next(first - together + UNIT) {
                return ptr::null_mut();
            }
            add(heap);
        }
    } else if together < first {
        return ptr::null_mut();
    }
    let mut written = [0_u8; WRITTEN];
    let last = old_size - WORD;
    // SAFETY: the block has `old_size` bytes, more than these. When it is freed, it becomes part of a chunk
    // of `together` bytes from `before` on, the only one with room for `first`: dlmalloc has just said that
    // there is no other, and no more memory. So it is where the new block is, with all of the old content but
    // the bytes that are saved here.
    unsafe {
        ptr::copy_nonoverlapping(block, written.as_mut_ptr(), WRITTEN);
        let last_word = block.add(last).cast::<usize>().read_unaligned();
        free(heap, block, old_size);
        let moved = malloc(heap, first - OVERHEAD);
        debug_assert_eq!(moved, before.block(), "there was no other");
        ptr::copy(block, moved, old_size);
        ptr::copy_nonoverlapping(written.as_ptr(), moved, WRITTEN);
        moved.add(last).cast::<usize>().write_unaligned(last_word);
        // Less than there is: this does not fail.
        resize(heap, moved, new_size)
    }
}
