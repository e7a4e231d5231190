//! `Vm`: what can be done with a Lua state, from outside and from inside a host function.

use crate::api::function_table::{HostError, Registry};
use crate::error::{Error, ErrorKind, LuaError, Result};
use crate::host::Host;
use crate::lua::Stack;
use crate::state::context::{Context, context};
use crate::state::meter::Allowance;
use crate::store::TableStore;
use crate::value::{Table, Value, decode_list, encode_list};
use crate::vm::request::{self, Outcome};
use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What a successful eval gave.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Reply {
    /// All values that the chunk returned.
    pub values: Vec<Value>,
}

/// A Lua VM, as its owner ([`Runtime`](crate::Runtime)) and the host functions it calls have it.
#[derive(Debug)]
pub struct Vm {
    /// Any thread of a live state.
    stack: Stack,
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

impl Vm {
    pub(crate) fn new(stack: Stack) -> Self {
        Vm { stack }
    }

    /// Another one on the same state, for a call from inside a host function.
    #[cfg(all(feature = "shell", target_arch = "wasm32"))]
    pub(crate) fn again(&self) -> Self {
        Vm { stack: self.stack }
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

    /// As [`Vm::eval`], with the chunk's name as error messages show it.
    pub fn eval_named(&mut self, source: impl AsRef<[u8]>, name: &str) -> Result<Reply> {
        let name =
            CString::new(format!("={name}")).map_err(|_| Error::usage("a chunk's name cannot hold a NUL"))?;
        let outcome = self.eval_raw(source.as_ref(), &name);
        self.typed(outcome)
    }

    /// As [`Vm::eval_named`], in a fresh environment: it holds the string keys of `variables`, reads everything else from the globals,
    /// and writes only to itself. Library tables and modules are its own copies (docs/lua-api.md, section 7).
    pub fn eval_env(&mut self, source: impl AsRef<[u8]>, name: &str, variables: &Table) -> Result<Reply> {
        let source = Value::String(source.as_ref().to_vec());
        let values =
            self.operation(request::EVAL_ENV, source, vec![name.into(), variables.clone().into()])?;
        Ok(Reply { values })
    }

    /// Takes away all libraries but these: see [`Builder::libraries`](crate::Builder::libraries).
    pub(crate) fn keep_libraries(&mut self, names: &[Value]) -> Result<()> {
        let mut input = Vec::new();
        encode_list(names, &mut input).map_err(|error| ErrorKind::Value(error.to_string()))?;
        let outcome = self.request_typed(request::LIBRARIES, &input);
        self.typed(outcome).map(drop)
    }

    /// Lets go of a function or reference that a value holds; false when it was not held.
    pub fn release(&mut self, handle: u32) -> bool {
        self.operation(request::RELEASE, i64::from(handle).into(), Vec::new()).is_ok()
    }

    /// The value of a global variable, without metamethods.
    pub fn global(&mut self, name: &str) -> Result<Value> {
        let values = self.operation(request::GLOBAL_GET, name.into(), Vec::new())?;
        Ok(values.into_iter().next().unwrap_or_default())
    }

    /// Sets a global variable, without metamethods; nil deletes it.
    pub fn set_global(&mut self, name: &str, value: Value) -> Result<()> {
        self.operation(request::GLOBAL_SET, name.into(), vec![value]).map(drop)
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
        self.operation(request::GC, word.into(), Vec::new()).map(drop)
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

    /// What each call may use from now on: time by the host's clock, and fuel, in ticks (one for each jump, step of a loop, call, and
    /// step of a C loop that a script can stretch; the same script uses the same fuel everywhere). None is no limit, the default. A call
    /// past either ends as `timeout`, and nothing in the script can catch that.
    pub fn set_limits(&mut self, timeout: Option<Duration>, fuel: Option<u64>) {
        self.context_mut().meter.usual = allowance(timeout, fuel);
    }

    /// As [`Vm::set_limits`], for the next call only. Inside a host function, a call may have less than the one around it, never
    /// more.
    pub fn limit_next(&mut self, timeout: Option<Duration>, fuel: Option<u64>) {
        self.context_mut().meter.next = Some(allowance(timeout, fuel));
    }

    /// Ticks that the last outermost call of Lua used.
    pub fn fuel_used(&self) -> u64 {
        self.context().meter.last_used()
    }

    /// Ends the running call from elsewhere: setting it to true makes that call end as `interrupt`. It is false again when the call has
    /// ended.
    pub fn interrupter(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.context().interrupt)
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

    pub(crate) fn operation(&mut self, op: u32, first: Value, rest: Vec<Value>) -> Result<Vec<Value>> {
        let args: Vec<Value> = std::iter::once(first).chain(rest).collect();
        let mut input = Vec::new();
        encode_list(&args, &mut input).map_err(|error| ErrorKind::Value(error.to_string()))?;
        let outcome = self.request_typed(op, &input);
        self.typed(outcome).map(|reply| reply.values)
    }

    /// As `request_raw`, for a list that was made of Rust's values.
    pub(crate) fn request_typed(&mut self, op: u32, input: &[u8]) -> Outcome {
        while let Some(task) = self.registry().and_then(Registry::take_abandoned) {
            self.cancel(task);
        }
        if let Some(registry) = self.registry() {
            registry.count_uses(input);
        }
        self.request_raw(op, input)
    }

    /// Ends a task that waits. One that does not wait any more is no concern.
    pub(crate) fn cancel(&mut self, task: i64) {
        let mut input = Vec::new();
        if encode_list(&[Value::Integer(task)], &mut input).is_ok() {
            self.request_raw(request::CANCEL, &input);
        }
    }

    /// What Rust code has registered; None where the functions are JavaScript's.
    pub(crate) fn registry(&self) -> Option<&Registry> {
        self.context().functions.as_any().downcast_ref()
    }

    /// What Lua gets for an error of a Rust function.
    pub(crate) fn error_value(&self, error: HostError) -> Value {
        self.registry().map_or(Value::Nil, |registry| registry.error_value(error))
    }

    /// The encoded reply as values or as an error; hands the output to the host.
    pub(crate) fn typed(&mut self, outcome: Outcome) -> Result<Reply> {
        self.context_mut().flush_output();
        let values =
            decode_list(&self.context().reply).map_err(|error| Error::bug(format!("reply: {error}")))?;
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
        let number = match fields.next() {
            Some(Value::Integer(number)) => u32::try_from(number).ok(),
            _ => None,
        };
        let cause = match (&value, self.registry()) {
            (Value::HostObject { id, .. }, Some(registry)) => registry.error(*id),
            _ => None,
        };
        let error = LuaError { message, traceback, chunk, line, value, cause, number };
        Err(match outcome {
            Outcome::Ok | Outcome::Bug => ErrorKind::Bug(error.message),
            Outcome::Runtime => ErrorKind::Runtime(error),
            Outcome::Syntax => ErrorKind::Syntax(error),
            Outcome::Memory => ErrorKind::Memory(error),
            Outcome::Timeout => ErrorKind::Timeout(error),
            Outcome::Interrupt => ErrorKind::Interrupt(error),
            Outcome::Storage => ErrorKind::Storage(error),
            Outcome::Value => ErrorKind::Value(error.message),
            Outcome::Usage | Outcome::Waiting => ErrorKind::Usage(error.message),
        }
        .into())
    }
}

fn allowance(timeout: Option<Duration>, fuel: Option<u64>) -> Allowance {
    let timeout_ms = timeout.map_or(f64::INFINITY, |timeout| timeout.as_secs_f64() * 1000.0);
    Allowance { timeout_ms, fuel }
}

/// What shells use: everything in bytes.
impl Vm {
    /// The list or error record of the last operation.
    pub fn reply_list(&self) -> &[u8] {
        &self.context().reply
    }

    /// What was written and not yet handed to the host: segments as in docs/codec.md.
    pub fn pending_output(&self) -> &[u8] {
        self.context().output.segments()
    }

    /// Moves the pending output behind the reply's list; false when there is no memory for it.
    #[cfg(all(feature = "shell", target_arch = "wasm32"))]
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
    #[cfg(all(feature = "shell", target_arch = "wasm32"))]
    pub(crate) fn flush_output(&mut self) {
        self.context_mut().flush_output();
    }

    /// Forgets the pending output, and gives back the memory of a large reply.
    #[cfg(all(feature = "shell", target_arch = "wasm32"))]
    pub(crate) fn clear_reply(&mut self) {
        let Context { reply, output, .. } = self.context_mut();
        output.clear();
        if reply.capacity() > crate::limits::IO_BUFFER_BYTES {
            *reply = Vec::new();
        }
        reply.clear();
    }

    /// Where an operation may begin now: the main thread, or the one that calls a host function.
    pub(crate) fn entry(&self) -> Stack {
        self.context().entry
    }

    pub(crate) fn context(&self) -> &Context {
        context(self.stack)
    }

    pub(crate) fn context_mut(&mut self) -> &mut Context {
        context(self.stack)
    }
}
