//! Counts of a sandbox.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counts of a sandbox since its start, and what there is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Events that found the image of their script.
    pub image_hits: u64,
    /// Images that had to be made.
    pub image_misses: u64,
    /// Images that went because others needed their room.
    pub image_evictions: u64,
    /// Images that are kept.
    pub images: u64,
    /// Bytes of the images that are kept.
    pub image_bytes: u64,
    /// VMs that there are now.
    pub slots_in_use: u64,
    /// Events that wait for a VM.
    pub waiting: u64,
    /// Bytes of the memories of all VMs.
    pub memory_bytes: u64,
    /// Events that were put off for want of memory that others have.
    pub deferred: u64,
    /// Scripts that the deadline around the VM ended: the VM's own did not.
    pub fence_deadline: u64,
    /// Growth of a memory that the limit around the VM refused: the VM's own did not.
    pub fence_memory: u64,
    /// Events that ended in a trap of the module.
    pub traps: u64,
    /// Events that ended in a panic of the host.
    pub panics: u64,
}

/// The counts, as they are counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) image_hits: Count,
    pub(crate) image_misses: Count,
    pub(crate) image_evictions: Count,
    pub(crate) slots_in_use: Count,
    pub(crate) waiting: Count,
    pub(crate) deferred: Count,
    pub(crate) fence_deadline: Count,
    pub(crate) fence_memory: Count,
    pub(crate) traps: Count,
    pub(crate) panics: Count,
}

/// A number that many threads count.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one up until the guard is dropped.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.add(1);
        Held(self)
    }
}

/// A one in a count of what there is now.
#[derive(Debug)]
pub(crate) struct Held<'a>(&'a Count);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
