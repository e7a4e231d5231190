//! `OwnedVm`: one Lua state and everything around it, from its making to its end.
//!
//! Not here: what can be done with it (`RawVm`, `api`), what Lua sees (`stdlib`, `ext`).

use super::raw_vm::RawVm;
use crate::error::{Error, ErrorKind, LuaError, Result};
use crate::host::Host;
use crate::limits::{MEMORY_BYTES_PER_STACK_SLOT, MEMORY_MIN_BYTES, STACK_SLOTS_MAX, STACK_SLOTS_MIN};
#[cfg(all(feature = "jit", target_arch = "wasm32"))]
use crate::lua::Stack;
use crate::lua::{Memory, State, Status, fuel, set_hash_seed};
use crate::state::context::Context;
use crate::state::guarded::GuardedHost;
use crate::state::host_functions::{Functions, Side};
use crate::store::TableStore;
use crate::{ext, host_call, marshal, stdlib};
use std::ptr::NonNull;

/// Sizes of a new VM.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// The limit that is reported: of the whole linear memory in the module, else of Lua's bytes.
    pub(crate) limit_bytes: usize,
    /// Bytes of it that Lua may use.
    pub(crate) lua_bytes: usize,
    /// Slots of a Lua stack; None: as many as fit the memory.
    pub(crate) stack_slots: Option<usize>,
}

impl Sizes {
    fn stack_slots(self) -> usize {
        let fitting = (self.limit_bytes / MEMORY_BYTES_PER_STACK_SLOT).min(STACK_SLOTS_MAX);
        self.stack_slots.map_or(fitting, |slots| slots.clamp(STACK_SLOTS_MIN, STACK_SLOTS_MAX))
    }
}

/// The owner of a VM: dropping it closes the Lua state, which runs the finalizers that are left.
#[derive(Debug)]
pub(crate) struct OwnedVm {
    state: State,
    context: NonNull<Context>,
    /// Seed of the hashes of strings, and of `math.random`.
    seed: u64,
}

impl OwnedVm {
    /// Makes the state and its context. `open_libraries` comes next.
    ///
    /// # Errors
    /// `usage` when the memory limit is below 512 KiB, `memory` when there is no memory for the state.
    pub(crate) fn new(
        host: Box<dyn Host>,
        store: Box<dyn TableStore>,
        functions: Functions,
        sizes: Sizes,
    ) -> Result<OwnedVm> {
        let limit = sizes.limit_bytes;
        if limit < MEMORY_MIN_BYTES {
            return Err(Error::usage(format!("memory limit of {limit} bytes is below {MEMORY_MIN_BYTES}")));
        }
        let mut host = GuardedHost::new(host);
        let seed = host.random_u64();
        let memory = Box::new(Memory::new(limit, sizes.lua_bytes, sizes.stack_slots()));
        #[cfg(c_pointers)]
        crate::lua::set_pointers(
            crate::state::limit_exceeded::perilune_refuel,
            crate::state::limit_exceeded::perilune_worked_aside,
            crate::state::limit_exceeded::perilune_long_chain,
            crate::ext::perilune_next,
        );
        set_hash_seed(seed as u32);
        let Some(state) = State::new(&memory) else { return Err(out_of_memory()) };
        let context = Box::new(Context::new(host, store, functions, memory, state.main())).attach();
        Ok(OwnedVm { state, context, seed })
    }

    /// Opens C Lua's libraries and ours.
    ///
    /// # Errors
    /// `memory` when there is none for them; nothing but dropping can be done with the VM then.
    pub(crate) fn open_libraries(&self) -> Result<()> {
        let main = self.state.main();
        let opened = main.protect(0, |inner| {
            inner.open_references();
            marshal::open(inner);
            host_call::open(inner);
            ext::open(inner);
            stdlib::open(inner, self.seed)
        });
        main.set_top(0);
        if opened == Status::Ok { Ok(()) } else { Err(out_of_memory()) }
    }

    /// The VM, for a caller on `side`. The handle must not be used after the owner is gone.
    pub(crate) fn raw(&self, side: Side) -> RawVm {
        // SAFETY: the context lives as long as this owner. Who keeps a handle keeps the owner, too: `Runtime`
        // beside its `Vm`, a host function by its caller, the module's exports in the same static.
        unsafe { RawVm::new(self.context, side) }
    }

    /// The stack of the main thread, between two calls.
    #[cfg(all(feature = "jit", target_arch = "wasm32"))]
    pub(crate) fn stack(&self) -> Stack {
        self.state.main()
    }

    /// Sets other sizes from now on, between two calls.
    #[cfg(all(feature = "exports", target_arch = "wasm32"))]
    pub(crate) fn resize(&self, sizes: Sizes) {
        let mut vm = self.raw(Side::Host);
        let memory = &vm.context_mut().memory;
        memory.set_limit(sizes.limit_bytes, sizes.lua_bytes, sizes.stack_slots());
    }
}

impl Drop for OwnedVm {
    fn drop(&mut self) {
        // Another VM of this thread may be in the middle of a call.
        let left = fuel::left();
        fuel::set(fuel::UNLIMITED);
        // SAFETY: nothing of the state is used afterwards. Finalizers run now and may use the context.
        unsafe { self.state.close() };
        fuel::set(left);
        // SAFETY: the context came from `Box::leak`, and the state that pointed to it is gone.
        drop(unsafe { Box::from_raw(self.context.as_ptr()) });
    }
}

/// The error of a VM that cannot be made, or grow, for want of memory.
pub(crate) fn out_of_memory() -> Error {
    ErrorKind::Memory(LuaError { message: "not enough memory".into(), ..LuaError::default() }).into()
}
