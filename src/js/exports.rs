//! The module's exports: one global VM behind the IO buffer (docs/codec.md, section 3).
//!
//! Plain C functions of numbers: wasm-bindgen passes them through as they are, under their own names.

use super::io_buffer::{IoBuffer, Owner};
use super::{JsFunctions, JsHost, JsStore, heap, panic};
use crate::api::runtime::{Limits, Runtime};
use crate::api::vm::Vm;
use crate::limits::{IO_BUFFER_BYTES, MEMORY_DEFAULT_BYTES, MEMORY_MIN_BYTES, RUST_RESERVE_BYTES};
use crate::vm::request::Outcome;
use std::cell::UnsafeCell;

/// The store that the host attaches for this VM.
const STORE: u32 = 0;

struct Shell {
    io: IoBuffer,
    runtime: Option<Runtime>,
    /// 0 until `configure` says otherwise: all zeros, so that the static takes no room in the module.
    memory_limit: usize,
}

struct Global(UnsafeCell<Shell>);

// SAFETY: wasm32-unknown-unknown without atomics has one thread.
unsafe impl Sync for Global {}

static SHELL: Global = Global(UnsafeCell::new(Shell { io: IoBuffer::new(), runtime: None, memory_limit: 0 }));

/// The reference must end before Lua runs: a host function may call in, which makes another one.
#[allow(clippy::mut_from_ref, reason = "each use is one statement, as with `context`")]
fn shell() -> &'static mut Shell {
    // SAFETY: one thread, and no two of these references live at the same time (see above).
    unsafe { &mut *SHELL.0.get() }
}

/// While `call` runs, JavaScript may use the IO buffer and call in.
pub(super) fn lend<R>(call: impl FnOnce() -> R) -> R {
    let owner = std::mem::replace(&mut shell().io.owner, Owner::Js);
    let result = call();
    shell().io.owner = owner;
    result
}

/// Sets the bytes of linear memory, before `init`; 0 means 2 MiB. Returns 0, or 8 when it is too little or too late.
#[unsafe(no_mangle)]
pub extern "C" fn configure(memory_limit: u32) -> i32 {
    let shell = shell();
    let limit = if memory_limit == 0 { MEMORY_DEFAULT_BYTES } else { memory_limit as usize };
    if shell.runtime.is_some() || limit < MEMORY_MIN_BYTES {
        return Outcome::Usage as i32;
    }
    shell.memory_limit = limit;
    0
}

/// Makes the VM. Returns 0, 3 when memory is too small, 8 when it was made before.
#[unsafe(no_mangle)]
pub extern "C" fn init() -> i32 {
    let shell = shell();
    if shell.runtime.is_some() {
        return Outcome::Usage as i32;
    }
    panic::set_hook();
    let memory_bytes = if shell.memory_limit == 0 { MEMORY_DEFAULT_BYTES } else { shell.memory_limit };
    if !heap::set_limit(memory_bytes) {
        return Outcome::Memory as i32;
    }
    let (host, store) = (Box::new(JsHost::default()), Box::new(JsStore::new(STORE)));
    let lua_capacity = lua_capacity(memory_bytes);
    match Runtime::assemble(
        host,
        store,
        Box::new(JsFunctions::default()),
        Limits { memory_bytes },
        lua_capacity,
    ) {
        Ok(runtime) => {
            shell.runtime = Some(runtime);
            0
        }
        Err(_) => Outcome::Memory as i32,
    }
}

/// What is left for Lua: stack, static data and IO buffer come first, and Rust's buffers must have room.
fn lua_capacity(memory_bytes: usize) -> usize {
    memory_bytes.saturating_sub(heap::heap_base() + RUST_RESERVE_BYTES)
}

/// Instead of `init`, when the memory is that of another instance of this module, which was between two calls: sets the bytes
/// of linear memory, 0 for what they were there. Returns 0, 3 when it is larger already, 8 when there is no VM in it.
#[unsafe(no_mangle)]
pub extern "C" fn wake(memory_limit: u32) -> i32 {
    let shell = shell();
    shell.io.owner = Owner::Js;
    let limit = match memory_limit {
        0 if shell.memory_limit == 0 => MEMORY_DEFAULT_BYTES,
        0 => shell.memory_limit,
        limit => limit as usize,
    };
    let Some(runtime) = &mut shell.runtime else { return Outcome::Usage as i32 };
    if limit < MEMORY_MIN_BYTES || !heap::set_limit(limit) {
        return Outcome::Memory as i32;
    }
    shell.memory_limit = limit;
    runtime.limit_memory(limit, lua_capacity(limit));
    0
}

/// Address of the IO buffer.
#[unsafe(no_mangle)]
pub extern "C" fn io_ptr() -> u32 {
    shell().io.address().addr() as u32
}

/// Its length: 65536.
#[unsafe(no_mangle)]
pub extern "C" fn io_len() -> u32 {
    IO_BUFFER_BYTES as u32
}

/// Where the next input of `len` bytes goes: the IO buffer, or a spill; 0 when there is no memory for it or a call runs.
#[unsafe(no_mangle)]
pub extern "C" fn io_reserve(len: u32) -> u32 {
    let shell = shell();
    if shell.io.owner == Owner::Running {
        return 0;
    }
    if let Some(runtime) = &mut shell.runtime {
        // The last reply has been read; its memory may be what the input needs.
        runtime.clear_reply();
    }
    shell.io.owner = Owner::Js;
    shell.io.reserve(len as usize).addr() as u32
}

/// Runs the source in the IO buffer (or reserved spill); returns the length of the reply, 0 when a call runs already.
#[unsafe(no_mangle)]
pub extern "C" fn eval(len: u32) -> u32 {
    operate(len, |vm, input| vm.eval_raw(input, c"=eval"))
}

/// Runs an operation on the list in the IO buffer (or reserved spill); returns as `eval` does.
#[unsafe(no_mangle)]
pub extern "C" fn request(op: u32, len: u32) -> u32 {
    operate(len, |vm, input| vm.request_raw(op, input))
}

fn operate(len: u32, run: impl FnOnce(&mut Vm, &[u8]) -> Outcome) -> u32 {
    if shell().io.owner == Owner::Running {
        return 0;
    }
    // A `Vm` of its own: the one of a call around this one is in use.
    let Some(mut vm) = shell().runtime.as_ref().map(|runtime| runtime.again()) else { return 0 };
    let outcome = match shell().io.take_input(len as usize) {
        Some(input) => {
            shell().io.owner = Owner::Running;
            vm.clear_reply();
            run(&mut vm, input.bytes())
        }
        None => vm.refuse_usage("input is longer than what was reserved"),
    };
    shell().io.put_reply(outcome, &mut vm) as u32
}
