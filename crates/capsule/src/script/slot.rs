//! The VM for hooks that run inside of SQLite.

use perilune::Vm;
use std::cell::Cell;
use std::fmt;
use std::ptr::NonNull;

/// Place of the VM while SQLite works: whoever enters SQLite lends the VM, and a SQL function that runs a
/// hook uses it.
#[derive(Default)]
pub(crate) struct VmSlot(Cell<Option<NonNull<Vm>>>);

/// Puts back what was in the slot, also when the work panics.
struct Restored<'a> {
    slot: &'a VmSlot,
    before: Option<NonNull<Vm>>,
}

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        self.slot.0.set(self.before);
    }
}

impl VmSlot {
    /// Lends the VM for the time of some work.
    pub(crate) fn lend<T>(&self, vm: &mut Vm, work: impl FnOnce() -> T) -> T {
        let before = self.0.replace(Some(NonNull::from(vm)));
        let _restored = Restored { slot: self, before };
        work()
    }

    /// Uses the VM that is lent at the moment; `None` if there is none. While it is used nobody else has it.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Vm) -> T) -> Option<T> {
        let mut lent = self.0.take()?;
        let _restored = Restored { slot: self, before: Some(lent) };
        // SAFETY: `lend` has got the VM by a unique reference, which its caller cannot use before `lend` has
        // returned and the slot forgets the pointer. The slot is empty meanwhile, so no second reference is
        // made of it.
        Some(work(unsafe { lent.as_mut() }))
    }
}

impl fmt::Debug for VmSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "VmSlot(lent)" } else { "VmSlot(empty)" })
    }
}
