//! The one VM of the module, and the calls of it.

use crate::call::call_host;
use crate::imports::{self, Engine};
use perilune::limits::RUST_RESERVE_BYTES;
use perilune::protocol::{Outcome, operation};
use perilune::value::decode_list;
use perilune::{Error, GcMode, Limits, Runtime, Value, heap};
use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;
use std::time::Duration;

/// Lua code for what a script sees, and for what becomes of what it leaves.
const PRELUDE: &str = include_str!("prelude.lua");
/// Name of the prelude's chunk: the host takes its frames out of tracebacks.
const PRELUDE_NAME: &std::ffi::CStr = c"=engine";

/// Libraries of the VM. The prelude takes `debug` and `package` away when it has what it needs of them.
const LIBRARIES: [&str; 9] =
    ["string", "table", "math", "utf8", "coroutine", "debug", "package", "json", "base64"];

/// Slots of a Lua stack: recursion without end is over in milliseconds.
const STACK_SLOTS: usize = 65_536;

/// Memory that is free in a new VM, so that most events grow none.
const FREE_BYTES: usize = 640 * 1024;

/// The answer to the last call, at an address that never changes. Little endian, as everything in wasm.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Reply {
    /// An `Outcome`.
    status: u32,
    /// Address of the list of results, or of the error record (docs/codec.md, section 2).
    at: u32,
    /// Bytes of it.
    len: u32,
    /// Bytes of the stack, which comes first in memory.
    stack_bytes: u32,
    /// Ticks that the call used.
    fuel: u64,
    /// Handle of the prelude's `load`.
    load: u32,
    /// Handle of the prelude's `run`.
    run: u32,
}

struct Module {
    /// The VM. It is never dropped: the module ends with its memory.
    vm: Option<ManuallyDrop<Runtime>>,
    reply: Reply,
}

struct Global(UnsafeCell<Module>);

// SAFETY: wasm32-unknown-unknown without atomics has one thread.
unsafe impl Sync for Global {}

static MODULE: Global = Global(UnsafeCell::new(Module {
    vm: None,
    reply: Reply { status: Outcome::Bug as u32, at: 0, len: 0, stack_bytes: 0, fuel: 0, load: 0, run: 0 },
}));

#[allow(clippy::mut_from_ref, reason = "the host makes one call at a time, and no import calls in")]
fn module() -> &'static mut Module {
    // SAFETY: one thread, and each export makes one of these references (see above).
    unsafe { &mut *MODULE.0.get() }
}

/// Makes the VM. Its status says whether there is one.
pub(crate) fn setup(memory_bytes: usize, timeout_ms: f64, fuel: u64) -> *const Reply {
    std::panic::set_hook(Box::new(|info| tell(&info.to_string())));
    let module = module();
    module.reply.stack_bytes = heap::stack_end() as u32;
    match make(memory_bytes, timeout_ms, fuel) {
        Ok((vm, load, run)) => {
            module.vm = Some(ManuallyDrop::new(vm));
            (module.reply.load, module.reply.run) = (load, run);
            module.reply.status = Outcome::Ok as u32;
            heap::clear_free();
        }
        Err(text) => tell(&text),
    }
    &raw const module.reply
}

/// Gives the host a text about what went wrong here.
fn tell(text: &str) {
    // SAFETY: the host reads these bytes, and only during the call.
    unsafe { imports::panicked(text.as_ptr(), text.len()) };
}

/// Makes the VM, with the handles of the prelude's `load` and `run`; or says why there is none.
fn make(memory_bytes: usize, timeout_ms: f64, fuel: u64) -> Result<(Runtime, u32, u32), String> {
    let text = |error: Error| error.to_string();
    if !heap::set_limit(memory_bytes) {
        return Err("the memory limit is less than the module takes".into());
    }
    let mut limits = Limits::default();
    limits.memory_bytes = memory_bytes;
    limits.lua_bytes = Some(memory_bytes.saturating_sub(heap::heap_base() + RUST_RESERVE_BYTES));
    limits.stack_slots = Some(STACK_SLOTS);
    let mut vm =
        Runtime::builder().host(Engine).limits(limits).libraries(&LIBRARIES).build().map_err(text)?;
    vm.register_raw("engine.call", call_host).map_err(text)?;
    // Most events end before there is much garbage; those that make more collect it when memory runs out.
    vm.eval("collectgarbage('incremental', 1000)").map_err(text)?;
    let outcome = vm.eval_raw(PRELUDE.as_bytes(), PRELUDE_NAME);
    let results = decode_list(vm.reply_list()).map_err(|error| error.to_string())?;
    let (Outcome::Ok, [Value::Function(load), Value::Function(run)]) = (outcome, &results[..]) else {
        return Err(format!("the prelude has failed: {results:?}"));
    };
    let handles = (*load, *run);
    vm.gc(GcMode::Collect).map_err(text)?;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(FREE_BYTES)));
    let timeout = timeout_ms.is_finite().then(|| Duration::from_secs_f64(timeout_ms.max(0.0) / 1000.0));
    vm.set_limits(timeout, (fuel != u64::MAX).then_some(fuel));
    Ok((vm, handles.0, handles.1))
}

/// Calls a function of the prelude with the input, which the host has ready: a list of its handle and
/// arguments. Returns the input.
pub(crate) fn call(len: usize) -> Vec<u8> {
    let module = module();
    let mut input = Vec::new();
    let Some(vm) = &mut module.vm else { return input };
    let reply = &mut module.reply;
    (reply.at, reply.len, reply.fuel) = (0, 0, 0);
    if input.try_reserve_exact(len).is_err() {
        reply.status = Outcome::Memory as u32;
        return input;
    }
    input.resize(len, 0);
    // SAFETY: there is room for the `len` bytes of the input.
    unsafe { imports::take(input.as_mut_ptr()) };
    reply.status = vm.request_raw(operation::CALL_HANDLE, &input) as u32;
    let list = vm.reply_list();
    (reply.at, reply.len) = (list.as_ptr().addr() as u32, list.len() as u32);
    reply.fuel = vm.fuel_used();
    input
}
