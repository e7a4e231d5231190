//! A growable array in Lua's account: what a script makes Rust keep counts as the script's memory, to the
//! byte, and is refused past its limit.

use super::alloc::Memory;
use std::ptr::{self, NonNull};
use std::slice;

/// Array whose elements lie in a block of a VM's memory. Must be dropped before that memory is.
#[derive(Debug)]
pub(crate) struct Counted<T> {
    memory: NonNull<Memory>,
    start: *mut T,
    len: usize,
    capacity: usize,
}

/// Refusal of memory for an array that grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

impl<T> Counted<T> {
    /// An empty array, which takes nothing yet.
    pub(crate) fn new(memory: NonNull<Memory>) -> Self {
        const { assert!(align_of::<T>() <= 8 && size_of::<T>() > 0) };
        Counted { memory, start: ptr::null_mut(), len: 0, capacity: 0 }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        if self.start.is_null() {
            return &[];
        }
        // SAFETY: the block holds `len` elements that are initialised.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        if self.start.is_null() {
            return &mut [];
        }
        // SAFETY: as above, and nothing else refers to the block.
        unsafe { slice::from_raw_parts_mut(self.start, self.len) }
    }

    /// Makes room for so many elements more.
    pub(crate) fn reserve(&mut self, more: usize) -> Result<(), Refused> {
        let wanted = self.len.checked_add(more).ok_or(Refused)?;
        if wanted <= self.capacity {
            return Ok(());
        }
        // By half as much again where there is memory, so that an array that grows is not moved each time.
        let ample = wanted.max(self.capacity.saturating_add(self.capacity / 2));
        self.resize(ample).or_else(|_| self.resize(wanted))
    }

    fn resize(&mut self, capacity: usize) -> Result<(), Refused> {
        let size = capacity.checked_mul(size_of::<T>()).ok_or(Refused)?;
        let block = grown(self.memory, self.start.cast(), self.capacity * size_of::<T>(), size)?;
        self.start = block.cast();
        self.capacity = capacity;
        Ok(())
    }

    /// Adds an element before the one at `index`, or at the end.
    pub(crate) fn insert(&mut self, index: usize, value: T) -> Result<(), Refused> {
        assert!(index <= self.len);
        self.reserve(1)?;
        // SAFETY: the block has room for one more than `len`, and `index` is at most that.
        unsafe {
            let place = self.start.add(index);
            ptr::copy(place, place.add(1), self.len - index);
            place.write(value);
        }
        self.len += 1;
        Ok(())
    }

    pub(crate) fn push(&mut self, value: T) -> Result<(), Refused> {
        self.insert(self.len, value)
    }

    /// Takes out the element at `index`.
    pub(crate) fn remove(&mut self, index: usize) -> T {
        assert!(index < self.len);
        self.len -= 1;
        // SAFETY: the element is there, and what lies behind it moves to its place.
        unsafe {
            let place = self.start.add(index);
            let value = place.read();
            ptr::copy(place.add(1), place, self.len - index);
            value
        }
    }

    /// Removes all elements, and gives the block back.
    pub(crate) fn clear(&mut self) {
        if self.start.is_null() {
            return;
        }
        let (start, len) = (self.start, std::mem::take(&mut self.len));
        // SAFETY: the elements are initialised, and nothing looks at them any more.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(start, len)) };
        let size = self.capacity * size_of::<T>();
        Memory::allocate(self.memory.as_ptr().cast(), start.cast(), size, 0);
        self.start = ptr::null_mut();
        self.capacity = 0;
    }
}

impl Counted<u8> {
    /// A copy of these bytes.
    #[inline(never)]
    pub(crate) fn copy_of(memory: NonNull<Memory>, bytes: &[u8]) -> Result<Self, Refused> {
        let mut copy = Counted::new(memory);
        copy.write(0, bytes)?;
        Ok(copy)
    }

    /// Writes bytes at a position; between the end and that come zeros.
    #[inline(never)]
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), Refused> {
        let end = at.checked_add(bytes.len()).ok_or(Refused)?;
        if end > self.len {
            self.reserve(end - self.len)?;
            // SAFETY: the block has room for `end` bytes, and those from `len` on are written here.
            unsafe { ptr::write_bytes(self.start.add(self.len), 0, end - self.len) };
            self.len = end;
        }
        if !bytes.is_empty() {
            self.as_mut_slice()[at..end].copy_from_slice(bytes);
        }
        Ok(())
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A block of another size with the same content.
#[inline(never)]
fn grown(memory: NonNull<Memory>, block: *mut u8, old: usize, size: usize) -> Result<*mut u8, Refused> {
    if size > isize::MAX as usize {
        return Err(Refused);
    }
    let block = Memory::allocate(memory.as_ptr().cast(), block.cast(), old, size);
    if block.is_null() { Err(Refused) } else { Ok(block.cast()) }
}
