//! `RawVm`: a live VM in bytes, as the module's exports and the typed interface (`api`) use it.
//!
//! Not here: who owns the VM (`OwnedVm`), Rust's own types (`api`).

use crate::lua::Stack;
use crate::state::context::{Context, context};
use crate::state::host_functions::Side;
use crate::state::limit_exceeded;
use std::ptr::NonNull;

/// A handle to a live VM. Copies are cheap, and all of them name the same VM.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawVm {
    context: NonNull<Context>,
    /// The side that reads replies: what it owns travels by id, everything else by handle.
    side: Side,
}

impl RawVm {
    /// The VM of a live context.
    ///
    /// # Safety
    /// The context outlives every use of the handle, and is used on its own thread only.
    pub(crate) unsafe fn new(context: NonNull<Context>, side: Side) -> Self {
        RawVm { context, side }
    }

    /// The VM that a running thread belongs to.
    pub(crate) fn of(stack: Stack, side: Side) -> Self {
        RawVm { context: NonNull::from(context(stack)), side }
    }

    /// The side that reads replies.
    pub(crate) fn side(self) -> Side {
        self.side
    }

    /// The thread on which an operation may begin now: the main one, or the one that calls a host function.
    pub(crate) fn entry(&self) -> Stack {
        self.context().entry
    }

    /// Counts ticks of Rust code that a script has called; false when the call must end.
    pub(crate) fn charge(&mut self, ticks: u64) -> bool {
        self.context().depth == 0 || limit_exceeded::charge(self.entry(), ticks)
    }

    pub(crate) fn context(&self) -> &Context {
        // SAFETY: the context is alive (see `new`), and no mutable borrow of it spans a call (see the head of
        // `context.rs`).
        unsafe { self.context.as_ref() }
    }

    pub(crate) fn context_mut(&mut self) -> &mut Context {
        // SAFETY: as above.
        unsafe { self.context.as_mut() }
    }
}

/// The module's IO buffer only.
#[cfg(all(feature = "exports", target_arch = "wasm32"))]
impl RawVm {
    /// The list or error record of the last operation.
    pub(crate) fn reply_list(&self) -> &[u8] {
        &self.context().reply
    }

    /// Output that the host has not been given yet: segments as in docs/codec.md, section 2.
    pub(crate) fn pending_output(&self) -> &[u8] {
        self.context().output.segments()
    }

    /// Moves the pending output behind the reply's list; false when there is no memory for it.
    pub(crate) fn append_output_to_reply(&mut self) -> bool {
        let Context { reply, output, .. } = self.context_mut();
        let fits = reply.try_reserve(output.segments().len()).is_ok();
        if fits {
            reply.extend_from_slice(output.segments());
            output.clear();
        }
        fits
    }

    /// Hands the pending output to the host.
    pub(crate) fn flush_output(&mut self) {
        self.context_mut().flush_output();
    }

    /// Forgets the pending output, and gives back the memory of a large reply.
    pub(crate) fn clear_reply(&mut self) {
        let Context { reply, output, .. } = self.context_mut();
        output.clear();
        if reply.capacity() > crate::limits::IO_BUFFER_BYTES {
            *reply = Vec::new();
        }
        reply.clear();
    }
}
