//! `Runtime`: one Lua state and everything around it, as an ordinary value. What a Rust program holds; the wasm shell
//! holds one in a static.
//!
//! Keeps true: between calls the Lua stack is empty, and after any failure the next call works. Not here: what an
//! operation of a shell looks like in bytes (`request`), what Lua sees (`stdlib`, `ext`).

use crate::context::{Context, Failure, Output};
use crate::error::{Error, ErrorKind, LuaError, Result};
use crate::host::{Host, NativeHost};
use crate::limits::{MEMORY_BYTES_PER_STACK_SLOT, MEMORY_DEFAULT_BYTES, MEMORY_MIN_BYTES, STACK_SLOTS_MAX};
use crate::lua::{Memory, Stack, Status, raw, set_hash_seed};
use crate::request::{self, Outcome};
use crate::store::{MemoryStore, TableStore};
use crate::value::{Value, decode_list, encode_list};
use crate::{ext, stdlib};
use std::ffi::CString;
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

/// What a successful eval gave.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Reply {
    /// All values that the chunk returned.
    pub values: Vec<Value>,
}

/// Sets up a [`Runtime`].
#[derive(Debug, Default)]
pub struct Builder {
    host: Option<Box<dyn Host>>,
    store: Option<Box<dyn TableStore>>,
    limits: Limits,
}

/// A Lua VM with its libraries, its host and its store.
#[derive(Debug)]
pub struct Runtime {
    state: NonNull<raw::lua_State>,
    context: NonNull<Context>,
    /// The last reply's list, or its error record.
    reply: Vec<u8>,
}

/// What the VM uses now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes that Lua holds.
    pub used_bytes: usize,
    /// The most it ever held.
    pub peak_bytes: usize,
    /// The most it may hold.
    pub limit_bytes: usize,
    /// Functions and references given out and not released.
    pub handles: usize,
}

/// What to do with the garbage collector (manual, `collectgarbage`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GcMode {
    /// A full cycle.
    Collect,
    /// One step.
    Step,
    /// Stop it.
    Stop,
    /// Start it again.
    Restart,
    /// Incremental mode.
    Incremental,
    /// Generational mode.
    Generational,
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

    /// Makes the VM.
    ///
    /// # Errors
    /// `usage` when the memory limit is below 512 KiB, `memory` when there is no memory for the libraries.
    pub fn build(self) -> Result<Runtime> {
        let host = self.host.unwrap_or_else(|| Box::new(NativeHost::default()));
        let store = self.store.unwrap_or_else(|| Box::new(MemoryStore::new()));
        Runtime::assemble(host, store, self.limits, self.limits.memory_bytes)
    }
}

impl Runtime {
    /// What `Builder::build` does, for a caller that has all parts (the wasm shell need not carry the default ones).
    /// `lua_capacity` is what of the memory limit is left for Lua, in bytes.
    pub(crate) fn assemble(
        mut host: Box<dyn Host>,
        store: Box<dyn TableStore>,
        limits: Limits,
        lua_capacity: usize,
    ) -> Result<Runtime> {
        let limit = limits.memory_bytes;
        if limit < MEMORY_MIN_BYTES {
            return Err(Error::usage(format!("memory limit of {limit} bytes is below {MEMORY_MIN_BYTES}")));
        }
        let stack_slots = (limit / MEMORY_BYTES_PER_STACK_SLOT).min(STACK_SLOTS_MAX);
        let seed = host.random_u64();
        let context = Box::new(Context {
            host,
            store,
            memory: Box::new(Memory::new(limit, lua_capacity, stack_slots)),
            key: Vec::new(),
            value: Vec::new(),
            writes: 0,
            output: Output::default(),
            failure: Failure::default(),
            handles: 0,
            generational: false,
            parachute: Vec::new(),
            warnings_on: false,
            warning_continues: false,
            input: Vec::new(),
        });
        set_hash_seed(seed as u32);
        let memory = (&raw const *context.memory).cast_mut().cast();
        // SAFETY: `allocate` is a lua_Alloc whose userdata is this `Memory`, which the context owns on the heap.
        let state = unsafe { raw::lua_newstate(Memory::allocate, memory) };
        let Some(state) = NonNull::new(state) else { return Err(out_of_memory()) };
        let context = NonNull::from(Box::leak(context));
        // SAFETY: the extra space is a pointer wide (LUA_EXTRASPACE), and no thread has been made yet.
        unsafe { raw::lua_getextraspace(state.as_ptr()).cast::<*mut Context>().write(context.as_ptr()) };
        // From here on, dropping it frees both.
        let mut runtime = Runtime { state, context, reply: Vec::new() };
        let stack = runtime.stack();
        let opened = stack.protect(0, |inner| {
            stdlib::open(inner, seed);
            ext::open(inner);
            Ok(())
        });
        if opened != Status::Ok {
            return Err(out_of_memory());
        }
        runtime.settle();
        Ok(runtime)
    }

    /// Starts with defaults: see [`Builder`].
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Runs Lua source (any bytes; binary code is refused) as the chunk `eval`, and gives what it returned. Globals and
    /// everything they hold stay for the next eval. What it wrote to external tables is one batch of the store, also
    /// when it failed: use `ext.transaction` for all or nothing.
    ///
    /// # Errors
    /// `syntax`, `runtime`, `memory`, `storage`, `value` (a result is nested too deep).
    pub fn eval(&mut self, source: impl AsRef<[u8]>) -> Result<Reply> {
        self.eval_named(source, "eval")
    }

    /// As [`Runtime::eval`], with the chunk's name as error messages show it.
    pub fn eval_named(&mut self, source: impl AsRef<[u8]>, name: &str) -> Result<Reply> {
        let name =
            CString::new(format!("={name}")).map_err(|_| Error::usage("a chunk's name cannot hold a NUL"))?;
        let outcome = self.eval_raw(source.as_ref(), &name);
        self.typed(outcome)
    }

    /// Calls a global or dotted function (`"math.max"`).
    pub fn call(&mut self, name: &str, args: &[Value]) -> Result<Vec<Value>> {
        let mut all = vec![Value::from(name)];
        all.extend_from_slice(args);
        self.operation(request::CALL, &all)
    }

    /// Calls a function that a value of this runtime holds.
    pub fn call_handle(&mut self, handle: u32, args: &[Value]) -> Result<Vec<Value>> {
        let mut all = vec![Value::Integer(i64::from(handle))];
        all.extend_from_slice(args);
        self.operation(request::CALL_HANDLE, &all)
    }

    /// Lets go of a function or reference that a value holds; false when it was not held.
    pub fn release(&mut self, handle: u32) -> bool {
        self.operation(request::RELEASE, &[Value::Integer(i64::from(handle))]).is_ok()
    }

    /// The value of a global variable, without metamethods.
    pub fn global(&mut self, name: &str) -> Result<Value> {
        let values = self.operation(request::GLOBAL_GET, &[Value::from(name)])?;
        Ok(values.into_iter().next().unwrap_or_default())
    }

    /// Sets a global variable, without metamethods; nil deletes it.
    pub fn set_global(&mut self, name: &str, value: Value) -> Result<()> {
        self.operation(request::GLOBAL_SET, &[Value::from(name), value]).map(drop)
    }

    /// Works the garbage collector.
    pub fn gc(&mut self, mode: GcMode) -> Result<()> {
        let word = match mode {
            GcMode::Collect => "collect",
            GcMode::Step => "step",
            GcMode::Stop => "stop",
            GcMode::Restart => "restart",
            GcMode::Incremental => "incremental",
            GcMode::Generational => "generational",
        };
        self.operation(request::GC, &[Value::from(word)]).map(drop)
    }

    /// What the VM uses now.
    pub fn stats(&self) -> Stats {
        let context = self.context();
        Stats {
            used_bytes: context.memory.used(),
            peak_bytes: context.memory.peak(),
            limit_bytes: context.memory.limit(),
            handles: context.handles,
        }
    }

    /// The host, to ask it what it has seen.
    pub fn host(&mut self) -> &mut dyn Host {
        &mut *self.context_mut().host
    }

    /// The store, from the host's side.
    pub fn store(&mut self) -> &mut dyn TableStore {
        let context = self.context_mut();
        context.writes += 1;
        &mut *context.store
    }

    fn operation(&mut self, op: u32, args: &[Value]) -> Result<Vec<Value>> {
        let mut input = Vec::new();
        encode_list(args, &mut input).map_err(|error| ErrorKind::Value(error.to_string()))?;
        let outcome = self.request_raw(op, &input);
        self.typed(outcome).map(|reply| reply.values)
    }

    /// The encoded reply as values or as an error; hands the output to the host.
    fn typed(&mut self, outcome: Outcome) -> Result<Reply> {
        self.context_mut().flush_output();
        let values = decode_list(&self.reply).map_err(|error| Error::bug(format!("reply: {error}")))?;
        if outcome == Outcome::Ok {
            return Ok(Reply { values });
        }
        let mut fields = values.into_iter();
        let mut text = || match fields.next() {
            Some(Value::String(bytes)) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            _ => None,
        };
        let (message, traceback, chunk) = (text().unwrap_or_default(), text(), text());
        let line = match fields.next() {
            Some(Value::Integer(line)) => u32::try_from(line).ok(),
            _ => None,
        };
        let value = fields.next().unwrap_or_default();
        let error = LuaError { message, traceback, chunk, line, value };
        Err(match outcome {
            Outcome::Ok | Outcome::Bug => ErrorKind::Bug(error.message),
            Outcome::Runtime => ErrorKind::Runtime(error),
            Outcome::Syntax => ErrorKind::Syntax(error),
            Outcome::Memory => ErrorKind::Memory(error),
            Outcome::Storage => ErrorKind::Storage(error),
            Outcome::Value => ErrorKind::Value(error.message),
            Outcome::Usage => ErrorKind::Usage(error.message),
        }
        .into())
    }
}

/// What shells use: everything in bytes.
impl Runtime {
    /// The list or error record of the last operation.
    pub fn reply_list(&self) -> &[u8] {
        &self.reply
    }

    /// What was written and not yet handed to the host: segments as in docs/codec.md.
    pub fn pending_output(&self) -> &[u8] {
        self.context().output.segments()
    }

    /// Moves the pending output behind the reply's list; false when there is no memory for it.
    #[cfg(all(feature = "shell", target_arch = "wasm32"))]
    pub(crate) fn append_output_to_reply(&mut self) -> bool {
        let mut reply = std::mem::take(&mut self.reply);
        let fits = reply.try_reserve(self.context().output.segments().len()).is_ok();
        if fits {
            reply.extend_from_slice(self.context().output.segments());
        }
        self.reply = reply;
        if fits {
            self.context_mut().output.clear();
        }
        fits
    }

    /// Hands the pending output to the host.
    #[cfg(all(feature = "shell", target_arch = "wasm32"))]
    pub(crate) fn flush_output(&mut self) {
        self.context_mut().flush_output();
    }

    /// Forgets the pending output, and gives back the memory of a large reply.
    #[cfg(all(feature = "shell", target_arch = "wasm32"))]
    pub(crate) fn clear_reply(&mut self) {
        self.context_mut().output.clear();
        if self.reply.capacity() > crate::limits::IO_BUFFER_BYTES {
            self.reply = Vec::new();
        }
        self.reply.clear();
    }

    pub(crate) fn stack(&mut self) -> Stack {
        // SAFETY: the state lives as long as the runtime, and `&mut self` says nobody else uses it now.
        unsafe { Stack::new(self.state.as_ptr()) }
    }

    pub(crate) fn context(&self) -> &Context {
        // SAFETY: the context lives as long as the runtime; it is changed only through `&mut self` or by callbacks, which
        // run only inside methods that take `&mut self`.
        unsafe { self.context.as_ref() }
    }

    pub(crate) fn context_mut(&mut self) -> &mut Context {
        // SAFETY: as in `context`.
        unsafe { self.context.as_mut() }
    }

    pub(crate) fn reply_mut(&mut self) -> &mut Vec<u8> {
        &mut self.reply
    }

    /// Leaves the stack empty.
    pub(crate) fn settle(&mut self) {
        self.stack().set_top(0);
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // SAFETY: the state is live and nothing of it is used afterwards. Finalizers run now and may use the context.
        unsafe { raw::lua_close(self.state.as_ptr()) };
        // SAFETY: the context came from `Box::leak`, and the state that pointed to it is gone.
        drop(unsafe { Box::from_raw(self.context.as_ptr()) });
    }
}

fn out_of_memory() -> Error {
    ErrorKind::Memory(LuaError { message: "not enough memory".into(), ..LuaError::default() }).into()
}
