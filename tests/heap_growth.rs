//! The heap of the wasm module, natively, over memory with a limit: random blocks that come, grow, shrink and
//! go keep their content, also where they move down over a part of themselves; what is free is found to the
//! last page.
#![cfg(not(target_arch = "wasm32"))]
#![allow(
    dead_code,
    clippy::undocumented_unsafe_blocks,
    reason = "the module is the crate's own, with its facts"
)]

#[path = "../src/heap/growth.rs"]
mod growth;

use dlmalloc::{Allocator, Dlmalloc};
use growth::{Source, UNIT};
use proptest::prelude::*;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::cell::Cell;
use std::ptr;

const PAGE_BYTES: usize = 64 * 1024;

/// Memory of a module: pages at the end of others, up to a limit.
struct Pages {
    base: *mut u8,
    count: Cell<usize>,
    limit: usize,
    next: Cell<usize>,
}

// SAFETY: each test has its own, on one thread.
unsafe impl Send for Pages {}

impl Pages {
    fn new(limit: usize) -> Pages {
        let base = unsafe { alloc_zeroed(Layout::from_size_align(limit * PAGE_BYTES, PAGE_BYTES).unwrap()) };
        Pages { base, count: Cell::new(0), limit, next: Cell::new(0) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        unsafe { dealloc(self.base, Layout::from_size_align(self.limit * PAGE_BYTES, PAGE_BYTES).unwrap()) };
    }
}

unsafe impl Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let pages = match self.next.replace(0) {
            0 => size.div_ceil(PAGE_BYTES),
            pages => pages,
        };
        let before = self.count.get();
        if before + pages > self.limit {
            return (ptr::null_mut(), 0, 0);
        }
        self.count.set(before + pages);
        (self.base.wrapping_add(before * PAGE_BYTES), pages * PAGE_BYTES, 0)
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
        if self.count.get() == 0 { ptr::null_mut() } else { self.base }
    }
    fn len(&self) -> usize {
        self.count.get() * PAGE_BYTES
    }
    fn add_next(&self, bytes: usize) -> bool {
        let pages = bytes.div_ceil(PAGE_BYTES);
        let fits = pages <= self.limit - self.count.get();
        if fits {
            self.next.set(pages);
        }
        fits
    }
}

/// A block with what was written to it: each has its own sequence of bytes.
struct Block {
    address: *mut u8,
    size: usize,
    align: usize,
    seed: usize,
}

impl Block {
    fn byte(&self, at: usize) -> u8 {
        (self.seed.wrapping_mul(31) ^ at ^ (at >> 8).wrapping_mul(7)) as u8
    }

    fn write(&self, from: usize) {
        (from..self.size).for_each(|at| unsafe { self.address.add(at).write(self.byte(at)) });
    }

    fn check(&self, to: usize) {
        for at in 0..to {
            assert_eq!(unsafe { self.address.add(at).read() }, self.byte(at), "byte {at} of {}", self.size);
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Take(usize, usize),
    Give(usize),
    Resize(usize, usize),
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![1_usize..300, 300_usize..5000, 5000_usize..150_000]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (size(), prop_oneof![Just(UNIT), Just(2048_usize)]).prop_map(|(size, align)| Step::Take(size, align)),
        any::<usize>().prop_map(Step::Give),
        (any::<usize>(), size()).prop_map(|(which, size)| Step::Resize(which, size)),
        (any::<usize>(), size()).prop_map(|(which, size)| Step::Resize(which, size)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn blocks_keep_their_content(steps in proptest::collection::vec(step(), 1..250)) {
        let mut heap = Dlmalloc::new_with_allocator(Pages::new(8));
        let mut blocks: Vec<Block> = Vec::new();
        for (seed, step) in steps.into_iter().enumerate() {
            match step {
                Step::Take(size, align) => {
                    let address = unsafe { growth::alloc(&mut heap, size, align) };
                    if !address.is_null() {
                        prop_assert!(address.addr().is_multiple_of(align));
                        let block = Block { address, size, align, seed };
                        block.write(0);
                        blocks.push(block);
                    }
                }
                Step::Give(which) if !blocks.is_empty() => {
                    let which = which % blocks.len();
                    let block = blocks.swap_remove(which);
                    block.check(block.size);
                    unsafe { growth::free(&mut heap, block.address, block.size) };
                }
                Step::Resize(which, size) if !blocks.is_empty() => {
                    let which = which % blocks.len();
                    let block = &mut blocks[which];
                    let moved = unsafe { growth::realloc(&mut heap, block.address, block.size, block.align, size) };
                    if moved.is_null() {
                        block.check(block.size);
                    } else {
                        let kept = block.size.min(size);
                        (block.address, block.size) = (moved, size);
                        prop_assert!(moved.addr().is_multiple_of(block.align));
                        block.check(kept);
                        block.write(kept);
                    }
                }
                Step::Give(_) | Step::Resize(..) => {}
            }
            prop_assert_eq!(heap.allocator().next.get(), 0, "a source is asked for what it was told");
        }
        for block in &blocks {
            block.check(block.size);
            unsafe { growth::free(&mut heap, block.address, block.size) };
        }
        // All of it is one piece again.
        let all = 8 * PAGE_BYTES - 4096;
        let block = unsafe { growth::alloc(&mut heap, all, UNIT) };
        prop_assert!(!block.is_null());
    }
}

/// A block that doubles takes the place that it has: a copy of it has none.
#[test]
fn a_block_grows_to_three_quarters_of_the_memory() {
    let mut heap = Dlmalloc::new_with_allocator(Pages::new(16));
    let mut block = Block { address: ptr::null_mut(), size: 4096, align: UNIT, seed: 1 };
    block.address = unsafe { growth::alloc(&mut heap, block.size, UNIT) };
    block.write(0);
    while block.size < 12 * PAGE_BYTES {
        let size = (2 * block.size).min(12 * PAGE_BYTES);
        let moved = unsafe { growth::realloc(&mut heap, block.address, block.size, UNIT, size) };
        assert!(!moved.is_null(), "{size}");
        block.address = moved;
        block.check(block.size);
        let kept = std::mem::replace(&mut block.size, size);
        block.write(kept);
    }
}

/// A block with something behind it moves down into what is free before it, and over a part of itself.
#[test]
fn a_block_moves_down() {
    for before in [5_usize, 20, 40, 100, 300] {
        let before = before * 1024;
        let mut heap = Dlmalloc::new_with_allocator(Pages::new(16));
        let hole = unsafe { growth::alloc(&mut heap, before, UNIT) };
        let mut block = Block { address: ptr::null_mut(), size: 400 * 1024, align: UNIT, seed: before };
        block.address = unsafe { growth::alloc(&mut heap, block.size, UNIT) };
        block.write(0);
        let behind = unsafe { growth::alloc(&mut heap, 1000, UNIT) };
        // What is left, until there is no place for a copy.
        while !unsafe { growth::alloc(&mut heap, 16 * 1024, UNIT) }.is_null() {}
        unsafe { growth::free(&mut heap, hole, before) };
        let size = block.size + before / 2;
        let moved = unsafe { growth::realloc(&mut heap, block.address, block.size, UNIT, size) };
        assert_eq!(moved, hole, "{before}");
        block.address = moved;
        block.check(block.size);
        // More than there is: it stays.
        let more = unsafe { growth::realloc(&mut heap, moved, size, UNIT, size + before) };
        assert!(more.is_null());
        block.check(block.size);
        unsafe { growth::free(&mut heap, behind, 1000) };
    }
}

/// Blocks to the end of the memory, which is no whole number of what is asked for.
#[test]
fn the_last_page_is_found() {
    let mut heap = Dlmalloc::new_with_allocator(Pages::new(4));
    let first = unsafe { growth::alloc(&mut heap, PAGE_BYTES / 2, UNIT) };
    let rest = unsafe { growth::alloc(&mut heap, 3 * PAGE_BYTES + PAGE_BYTES / 4, UNIT) };
    assert!(!first.is_null() && !rest.is_null());
    assert_eq!(heap.allocator().count.get(), 4);
    assert!(unsafe { growth::alloc(&mut heap, PAGE_BYTES / 2, UNIT) }.is_null());
}
