//! `Vm`: what can be done with a Lua state, from outside and from inside a host function.

use crate::api::function_table::FunctionTable;
use crate::error::{Error, ErrorKind, LuaError, Result};
use crate::host::Host;
use crate::lua::fuel;
use crate::state::context::Context;
use crate::state::host_functions::HostFunctions;
use crate::state::meter::CallLimits;
use crate::store::TableStore;
use crate::value::{Table, Value, decode_list, encode_list, encode_values};
use crate::vm::RawVm;
use crate::vm::protocol::{Outcome, operation};
use std::cell::OnceCell;
use std::ffi::{CStr, CString};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Reply of a successful eval.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Reply {
    /// All values that the chunk returned.
    pub values: Vec<Value>,
}

/// A Lua VM, as its owner ([`Runtime`](crate::Runtime)) and the host functions it calls have it.
///
/// It is always behind a reference: like `str` it has no size of its own, so a host function can neither keep
/// the `&mut Vm` that it is given, nor swap it with that of another VM.
///
/// ```
/// # use perilune::Runtime;
/// # let (mut a, mut b) = (Runtime::builder().build()?, Runtime::builder().build()?);
/// std::mem::swap(&mut a, &mut b); // two owners
/// # Ok::<(), perilune::Error>(())
/// ```
///
/// ```compile_fail,E0277
/// # use perilune::Runtime;
/// # let (mut a, mut b) = (Runtime::builder().build()?, Runtime::builder().build()?);
/// std::mem::swap(&mut *a, &mut *b);
/// # Ok::<(), perilune::Error>(())
/// ```
///
/// ```compile_fail,E0277
/// # use perilune::{Error, Runtime, Vm};
/// # let mut lua = Runtime::builder().build()?;
/// lua.register("swap", |vm: &mut Vm, ()| {
///     let mut other = Runtime::builder().build()?;
///     std::mem::swap(vm, &mut *other);
///     Ok::<_, Error>(())
/// })?;
/// # Ok::<(), Error>(())
/// ```
///
/// ```compile_fail,E0521
/// # use perilune::{Error, Runtime, Vm};
/// # use std::cell::RefCell;
/// # let mut lua = Runtime::builder().build()?;
/// let kept: &'static RefCell<Option<&mut Vm>> = Box::leak(Box::default());
/// lua.register("keep", |vm: &mut Vm, ()| {
///     kept.borrow_mut().replace(vm);
///     Ok::<_, Error>(())
/// })?;
/// # Ok::<(), Error>(())
/// ```
///
/// ```compile_fail,E0277
/// # use perilune::Runtime;
/// fn send<T: Send>(_: T) {}
/// send(Runtime::builder().build());
/// ```
#[derive(Debug)]
#[repr(transparent)]
pub struct Vm {
    /// One element.
    parts: [VmParts],
}

/// The contents of a [`Vm`].
#[derive(Debug)]
pub(crate) struct VmParts {
    pub(crate) raw: RawVm,
    /// The Rust functions of this VM; made for the first of them in a VM that has another host.
    pub(crate) functions: OnceCell<Rc<FunctionTable>>,
}

impl VmParts {
    /// The VM without Rust functions.
    pub(crate) fn new(raw: RawVm) -> Self {
        VmParts { raw, functions: OnceCell::new() }
    }

    pub(crate) fn as_vm(&self) -> &Vm {
        let parts: *const [VmParts] = std::slice::from_ref(self);
        // SAFETY: `Vm` is a transparent wrapper of a slice; the reference lives as long as that of `self`.
        unsafe { &*(parts as *const Vm) }
    }

    pub(crate) fn as_vm_mut(&mut self) -> &mut Vm {
        let parts: *mut [VmParts] = std::slice::from_mut(self);
        // SAFETY: as in `as_vm`.
        unsafe { &mut *(parts as *mut Vm) }
    }
}

/// Memory and fuel that the VM uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes that Lua uses.
    pub used_bytes: usize,
    /// The most that was ever in use.
    pub peak_bytes: usize,
    /// The most that may be in use.
    pub limit_bytes: usize,
    /// Functions and references given out and not released.
    pub handles: usize,
}

/// Operation of the garbage collector (manual, `collectgarbage`).
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
    pub(crate) fn raw(&self) -> RawVm {
        self.parts[0].raw
    }

    pub(crate) fn context(&self) -> &Context {
        self.parts[0].raw.context()
    }

    pub(crate) fn context_mut(&mut self) -> &mut Context {
        self.parts[0].raw.context_mut()
    }

    /// The Rust functions of this VM.
    pub(crate) fn functions(&mut self) -> &Rc<FunctionTable> {
        let VmParts { raw, functions } = &mut self.parts[0];
        functions.get_or_init(|| {
            let table = FunctionTable::new(Vec::new());
            debug_assert!(raw.context().functions.rust.is_none(), "no table is replaced");
            raw.context_mut().functions.rust = Some(Rc::clone(&table) as Rc<dyn HostFunctions>);
            table
        })
    }

    /// The Rust functions, if this VM has had any.
    pub(crate) fn functions_given(&self) -> Option<&Rc<FunctionTable>> {
        self.parts[0].functions.get()
    }

    /// Runs source under a chunk name (with Lua's `=` or `@` prefix), and leaves its results as bytes: see
    /// [`Vm::reply_list`].
    ///
    /// # Panics
    /// When a method of the host has panicked during the call.
    pub fn eval_raw(&mut self, source: &[u8], name: &CStr) -> Outcome {
        let outcome = self.raw().eval_raw(source, name);
        #[cfg(panic = "unwind")]
        self.pass_panic_on();
        outcome
    }

    /// Runs an operation (docs/codec.md, section 3) on the list `input`, and leaves its results as bytes: see
    /// [`Vm::reply_list`].
    ///
    /// # Panics
    /// When a method of the host has panicked during the call.
    pub fn request_raw(&mut self, operation: u32, input: &[u8]) -> Outcome {
        let outcome = self.raw().request_raw(operation, input);
        #[cfg(panic = "unwind")]
        self.pass_panic_on();
        outcome
    }

    /// Resumes a panic of the host, once no frame of C is below.
    #[cfg(panic = "unwind")]
    fn pass_panic_on(&mut self) {
        let c = self.context_mut();
        if c.depth == 0
            && let Some(panic) = c.host.take_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }

    /// The list of results of the last operation, or its error record (docs/codec.md, section 2).
    pub fn reply_list(&self) -> &[u8] {
        &self.context().reply
    }

    /// Output that the host has not been given yet: segments as in docs/codec.md, section 2.
    pub fn pending_output(&self) -> &[u8] {
        self.context().output.segments()
    }

    /// Runs Lua source (any bytes; binary code is refused) as the chunk `eval`, and gives what it returned.
    /// Globals and everything they hold stay for the next eval. What it wrote to external tables is one batch
    /// of the store, also when it failed: use `ext.transaction` for all or nothing.
    ///
    /// # Errors
    /// `syntax`, `runtime`, `memory`, `storage`, `value` (a result is nested too deep).
    pub fn eval(&mut self, source: impl AsRef<[u8]>) -> Result<Reply> {
        self.eval_named(source, "eval")
    }

    /// Runs Lua source like [`Vm::eval`], with the chunk's name as error messages show it.
    pub fn eval_named(&mut self, source: impl AsRef<[u8]>, name: &str) -> Result<Reply> {
        let name = chunk_name(name)?;
        self.cancel_dropped();
        let outcome = self.eval_raw(source.as_ref(), &name);
        self.typed(outcome)
    }

    /// Runs Lua source like [`Vm::eval_named`], as a part of a library: its functions have no lines, so the
    /// place of an error that they raise is the one in the program that called them.
    pub fn eval_library(&mut self, source: impl AsRef<[u8]>, name: &str) -> Result<Reply> {
        let name = chunk_name(name)?;
        self.cancel_dropped();
        let outcome = self.raw().eval_library(source.as_ref(), &name);
        self.typed(outcome)
    }

    /// Runs Lua source like [`Vm::eval_named`], in a fresh environment: it has the string keys of
    /// `variables`, reads everything else from the globals, and writes only to itself. Library tables and
    /// modules are its own copies (docs/lua-api.md, section 7).
    pub fn eval_env(&mut self, source: impl AsRef<[u8]>, name: &str, variables: &Table) -> Result<Reply> {
        let source = Value::String(source.as_ref().to_vec());
        let values =
            self.operation(operation::EVAL_ENV, source, vec![name.into(), variables.clone().into()])?;
        Ok(Reply { values })
    }

    /// Takes away all libraries but these: see [`Builder::libraries`](crate::Builder::libraries).
    pub(crate) fn keep_libraries(&mut self, names: &[Value]) -> Result<()> {
        let mut input = Vec::new();
        encode_list(names, &mut input)?;
        let outcome = self.request_typed(operation::LIBRARIES, &input);
        self.typed(outcome).map(drop)
    }

    /// Releases a function or reference of a value; false when it is not in use any more.
    pub fn release(&mut self, handle: u32) -> bool {
        self.operation(operation::RELEASE, i64::from(handle).into(), Vec::new()).is_ok()
    }

    /// A number that grows whenever code of Lua may have run, or a global was set: while it is the same,
    /// global variables are what they were. So what a library has found in them can be kept.
    ///
    /// ```
    /// # use perilune::Runtime;
    /// let mut lua = Runtime::builder().build()?;
    /// let before = lua.runs();
    /// assert_eq!(lua.within_limits(|vm| vm.charge(1000))?, true);
    /// assert_eq!(lua.runs(), before);
    /// lua.eval("x = 1")?;
    /// assert_ne!(lua.runs(), before);
    /// # Ok::<(), perilune::Error>(())
    /// ```
    pub fn runs(&self) -> u64 {
        self.context().runs
    }

    /// The value of a global variable, without metamethods.
    pub fn global(&mut self, name: &str) -> Result<Value> {
        let values = self.operation(operation::GLOBAL_GET, name.into(), Vec::new())?;
        Ok(values.into_iter().next().unwrap_or_default())
    }

    /// Sets a global variable, without metamethods; nil deletes it.
    pub fn set_global(&mut self, name: &str, value: Value) -> Result<()> {
        self.operation(operation::GLOBAL_SET, name.into(), vec![value]).map(drop)
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
        self.operation(operation::GC, word.into(), Vec::new()).map(drop)
    }

    /// Returns what the VM uses now.
    pub fn stats(&self) -> Stats {
        let context = self.context();
        Stats {
            used_bytes: context.memory.used(),
            peak_bytes: context.memory.peak(),
            limit_bytes: context.memory.limit(),
            handles: context.handles,
        }
    }

    /// Sets what each later call may use: time by the host's clock, and fuel, in ticks (one for each jump,
    /// step of a loop, call, and step of a C loop that a script can stretch; the same script uses the same
    /// fuel everywhere). None is no limit, the default. A call past either ends as `timeout`, and nothing in
    /// the script can catch that.
    pub fn set_limits(&mut self, timeout: Option<Duration>, fuel: Option<u64>) {
        self.context_mut().meter.usual = call_limits(timeout, fuel);
    }

    /// Sets the bytes that Lua may use from now on: less than what the VM was made with, so that a library
    /// has memory of its own which scripts cannot use up. What Lua has already stays.
    ///
    /// ```
    /// # use perilune::{ErrorKind, Runtime};
    /// let mut lua = Runtime::builder().build()?;
    /// lua.limit_memory(1 << 20);
    /// let error = lua.eval("return ('x'):rep(1 << 20)").unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Memory(_)));
    /// # Ok::<(), perilune::Error>(())
    /// ```
    pub fn limit_memory(&mut self, bytes: usize) {
        self.context().memory.set_lua_bytes(bytes);
    }

    /// Sets limits like [`Vm::set_limits`], for the next call only. Inside a host function, a call may have
    /// less than the one around it, never more.
    pub fn limit_next(&mut self, timeout: Option<Duration>, fuel: Option<u64>) {
        self.context_mut().meter.next = Some(call_limits(timeout, fuel));
    }

    /// Ticks that the call of Lua under way has used so far; outside of one, those that the last outermost
    /// one used.
    pub fn fuel_used(&self) -> u64 {
        let context = self.context();
        if context.depth == 0 { context.meter.last_used() } else { context.meter.used(fuel::left()) }
    }

    /// Ends the running call from elsewhere: setting it to true makes that call end as `interrupt`. It is
    /// false again when the call has ended.
    pub fn interrupter(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.context().interrupt)
    }

    /// Counts work that a Rust function does for a script, in ticks, as a loop of Lua counts its own; for
    /// loops that run long without calling Lua. Returns false when the call is over its limits and must end:
    /// the function then returns as soon as it can, with whatever, and the script ends as `timeout` or
    /// `interrupt`. Outside of a call it is always true.
    pub fn charge(&mut self, ticks: u64) -> bool {
        self.raw().charge(ticks)
    }

    /// Runs work of Rust as one call, so that what it [charges](Vm::charge) counts against the limits of one,
    /// and ends the work of the calls of Lua in it, too.
    ///
    /// ```
    /// # use perilune::{ErrorKind, Runtime};
    /// let mut lua = Runtime::builder().build()?;
    /// lua.set_limits(None, Some(1_000_000));
    /// assert_eq!(lua.within_limits(|vm| vm.charge(1000))?, true);
    /// let error = lua.within_limits(|vm| while vm.charge(1000) {}).unwrap_err();
    /// assert!(matches!(error.kind(), ErrorKind::Timeout(_)));
    /// # Ok::<(), perilune::Error>(())
    /// ```
    ///
    /// # Errors
    /// `timeout` and `interrupt`: the work has come to its end, but over a limit. `usage` where calls nest
    /// too deep: it has not begun.
    pub fn within_limits<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Result<T> {
        let (mut work, mut done) = (Some(work), None);
        self.call_within_limits(&mut |vm| done = work.take().map(|work| work(vm)))?;
        done.ok_or_else(|| Error::bug("the work of a call has not begun"))
    }

    /// Does what [`within_limits`](Vm::within_limits) does, once for all kinds of work.
    fn call_within_limits(&mut self, work: &mut dyn FnMut(&mut Self)) -> Result<()> {
        let mut raw = self.raw();
        raw.within_limits(&mut || work(self)).map_err(|outcome| match self.typed(outcome) {
            Err(error) => error,
            Ok(_) => Error::bug("a call has failed without an error"),
        })
    }

    /// The host, to ask it what it has seen.
    pub fn host(&mut self) -> &mut dyn Host {
        self.context_mut().host.inner()
    }

    /// The store, from the host's side.
    pub fn store(&mut self) -> &mut dyn TableStore {
        let context = self.context_mut();
        context.writes += 1;
        context.store.inner()
    }

    pub(crate) fn operation(&mut self, op: u32, first: Value, rest: Vec<Value>) -> Result<Vec<Value>> {
        let args: Vec<Value> = std::iter::once(first).chain(rest).collect();
        let mut input = Vec::new();
        encode_values(&args, &mut input)?;
        let outcome = self.request_typed(op, &input);
        self.typed(outcome).map(|reply| reply.values)
    }

    /// Runs an operation like `request_raw`, with a list that was made of Rust's values.
    pub(crate) fn request_typed(&mut self, op: u32, input: &[u8]) -> Outcome {
        self.before_request(input);
        self.request_raw(op, input)
    }

    /// Does what was put off until the next operation, and counts the functions that its list has.
    pub(crate) fn before_request(&mut self, input: &[u8]) {
        self.cancel_dropped();
        if let Some(functions) = self.functions_given() {
            functions.count_uses(input);
        }
    }

    /// The encoded reply as values or as an error; hands the output to the host.
    pub(crate) fn typed(&mut self, outcome: Outcome) -> Result<Reply> {
        self.context_mut().flush_output();
        #[cfg(panic = "unwind")]
        self.pass_panic_on();
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
        let cause = match (&value, self.functions_given()) {
            (Value::HostObject { id, .. }, Some(functions)) => functions.error(*id),
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
            Outcome::Exit => ErrorKind::Exit(error),
            Outcome::Storage => ErrorKind::Storage(error),
            Outcome::Value => ErrorKind::Value(error.message),
            Outcome::Usage | Outcome::Waiting => ErrorKind::Usage(error.message),
        }
        .into())
    }
}

/// A chunk's name as Lua takes it.
fn chunk_name(name: &str) -> Result<CString> {
    CString::new(format!("={name}")).map_err(|_| Error::usage("a chunk's name cannot hold a NUL"))
}

fn call_limits(timeout: Option<Duration>, fuel: Option<u64>) -> CallLimits {
    let timeout_ms = timeout.map_or(f64::INFINITY, |timeout| timeout.as_secs_f64() * 1000.0);
    CallLimits::new(timeout_ms, fuel)
}
