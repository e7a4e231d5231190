//! `Runtime`: one Lua state and everything around it, as an ordinary value. What a Rust program holds; the wasm shell
//! holds one in a static.
//!
//! Keeps true: between calls the Lua stack is empty, and after any failure the next call works. Not here: what an
//! operation of a shell looks like in bytes (`request`), what can be done with a VM (`vm`), what Lua sees (`stdlib`, `ext`).

use crate::api::function_table::Registry;
use crate::api::vm::Vm;
use crate::error::{Error, ErrorKind, LuaError, Result};
use crate::host::{Host, NativeHost};
use crate::host_call::{self, HostFunctions};
use crate::limits::{MEMORY_BYTES_PER_STACK_SLOT, MEMORY_DEFAULT_BYTES, MEMORY_MIN_BYTES, STACK_SLOTS_MAX};
use crate::lua::{Memory, Stack, Status, raw, set_hash_seed};
use crate::state::context::Context;
use crate::store::{MemoryStore, TableStore};
use crate::value::Value;
use crate::{ext, stdlib};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// What a VM may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes that Lua may hold: strings, tables, functions, stacks. Default 2 MiB, at least 512 KiB.
    pub memory_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { memory_bytes: MEMORY_DEFAULT_BYTES }
    }
}

/// Sets up a [`Runtime`].
#[derive(Debug, Default)]
pub struct Builder {
    host: Option<Box<dyn Host>>,
    store: Option<Box<dyn TableStore>>,
    limits: Limits,
    modules: Vec<(String, Vec<u8>)>,
    libraries: Option<Vec<Value>>,
}

/// A Lua VM with its libraries, its host and its store: owns what a [`Vm`] works with, and can be used as one.
#[derive(Debug)]
pub struct Runtime {
    vm: Vm,
    state: NonNull<raw::lua_State>,
    context: NonNull<Context>,
}

impl Deref for Runtime {
    type Target = Vm;

    fn deref(&self) -> &Vm {
        &self.vm
    }
}

impl DerefMut for Runtime {
    fn deref_mut(&mut self) -> &mut Vm {
        &mut self.vm
    }
}

impl Builder {
    /// The world around the VM. Default: [`NativeHost`].
    #[must_use]
    pub fn host(mut self, host: impl Host + 'static) -> Self {
        self.host = Some(Box::new(host));
        self
    }

    /// Where external tables live. Default: [`MemoryStore`].
    #[must_use]
    pub fn store(mut self, store: impl TableStore + 'static) -> Self {
        self.store = Some(Box::new(store));
        self
    }

    /// What the VM may use.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// A module that `require(name)` finds.
    #[must_use]
    pub fn module(mut self, name: impl Into<String>, source: impl Into<Vec<u8>>) -> Self {
        self.modules.push((name.into(), source.into()));
        self
    }

    /// The libraries that Lua has, beside the base library: of `string`, `table`, `math`, `utf8`, `coroutine`, `os`, `io`, `debug`, `package`
    /// (with `require`), `ext`, `async`, `host`, `json`, `base64`. Default: all. Without `string`, strings have no methods.
    #[must_use]
    pub fn libraries(mut self, names: &[&str]) -> Self {
        self.libraries = Some(names.iter().map(|&name| name.into()).collect());
        self
    }

    /// Makes the VM.
    ///
    /// # Errors
    /// `usage` when the memory limit is below 512 KiB, or there is no library of such a name, `memory` when there is no memory for the libraries.
    pub fn build(self) -> Result<Runtime> {
        let host = self.host.unwrap_or_else(|| Box::new(NativeHost::default()));
        let store = self.store.unwrap_or_else(|| Box::new(MemoryStore::new()));
        let functions = Box::new(Registry::with_modules(self.modules));
        let mut runtime = Runtime::assemble(host, store, functions, self.limits, self.limits.memory_bytes)?;
        if let Some(names) = self.libraries {
            runtime.keep_libraries(&names)?;
        }
        Ok(runtime)
    }
}

impl Runtime {
    /// What `Builder::build` does, for a caller that has all parts (the wasm shell need not carry the default ones).
    /// `lua_capacity` is what of the memory limit is left for Lua, in bytes.
    pub(crate) fn assemble(
        mut host: Box<dyn Host>,
        store: Box<dyn TableStore>,
        functions: Box<dyn HostFunctions>,
        limits: Limits,
        lua_capacity: usize,
    ) -> Result<Runtime> {
        let limit = limits.memory_bytes;
        if limit < MEMORY_MIN_BYTES {
            return Err(Error::usage(format!("memory limit of {limit} bytes is below {MEMORY_MIN_BYTES}")));
        }
        let stack_slots = stack_slots(limit);
        let seed = host.random_u64();
        let memory = Box::new(Memory::new(limit, lua_capacity, stack_slots));
        set_hash_seed(seed as u32);
        // SAFETY: `allocate` is a lua_Alloc whose userdata is this `Memory`, which the context owns on the heap.
        let state = unsafe { raw::lua_newstate(Memory::allocate, (&raw const *memory).cast_mut().cast()) };
        let Some(state) = NonNull::new(state) else { return Err(out_of_memory()) };
        // SAFETY: the state is live for as long as the runtime is.
        let main = unsafe { Stack::new(state.as_ptr()) };
        let context = Box::new(Context::new(host, store, functions, memory, main)).attach();
        // From here on, dropping it frees both.
        let runtime = Runtime { vm: Vm::new(main), state, context };
        let opened = main.protect(0, |inner| {
            inner.open_references();
            host_call::open(inner);
            ext::open(inner);
            stdlib::open(inner, seed)
        });
        if opened != Status::Ok {
            return Err(out_of_memory());
        }
        main.set_top(0);
        Ok(runtime)
    }

    /// Other limits from now on, between two calls.
    #[cfg(all(feature = "shell", target_arch = "wasm32"))]
    pub(crate) fn limit_memory(&mut self, limit: usize, lua_capacity: usize) {
        self.context().memory.set_limit(limit, lua_capacity, stack_slots(limit));
    }

    /// Starts with defaults: see [`Builder`].
    pub fn builder() -> Builder {
        Builder::default()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // Closing would leave mlua with freed memory: see `mlua`.
        #[cfg(feature = "mlua")]
        if self.context().lent.as_ref().is_some_and(crate::api::mlua::Lent::is_held) {
            return;
        }
        // SAFETY: the state is live and nothing of it is used afterwards. Finalizers run now and may use the context.
        unsafe { raw::lua_close(self.state.as_ptr()) };
        // SAFETY: the context came from `Box::leak`, and the state that pointed to it is gone.
        drop(unsafe { Box::from_raw(self.context.as_ptr()) });
    }
}

/// Of Lua's stack, for so much memory.
fn stack_slots(memory_bytes: usize) -> usize {
    (memory_bytes / MEMORY_BYTES_PER_STACK_SLOT).min(STACK_SLOTS_MAX)
}

fn out_of_memory() -> Error {
    ErrorKind::Memory(LuaError { message: "not enough memory".into(), ..LuaError::default() }).into()
}
