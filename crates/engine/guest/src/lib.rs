//! The wasm module of one event: Lua, with the globals and modules of a script, in a memory of its own.
//!
//! The host makes one VM with [`setup`] and keeps its memory as the beginning of all others. In a copy of
//! that memory [`load`] compiles a script, and [`run`] runs it once. Each of them leaves its answer in a
//! [`Reply`], whose address `setup` returned. What the script asks of the host goes through the import
//! `call`; `take` fetches what is longer than a call has room for, and the input.
//!
//! Not here: what a script sees (prelude.lua), and whether its output may be sent (the host checks that).
#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]

mod call;
mod imports;
mod module;

use module::Reply;

/// Makes the VM: with so many bytes for the whole memory; milliseconds (infinite: no limit) and ticks
/// (`u64::MAX`: no limit) for each later call. Returns the address of the reply; its list has the handles for
/// `load` and `run`.
#[unsafe(no_mangle)]
extern "C" fn setup(memory_bytes: usize, timeout_ms: f64, fuel: u64) -> *const Reply {
    module::setup(memory_bytes, timeout_ms, fuel)
}

/// Compiles a script: the input of `len` bytes is a list of the handle of `load` and the source. The results
/// are true, or false and a message. Nothing of the source stays in memory that is free.
#[unsafe(no_mangle)]
extern "C" fn load(len: usize) {
    let mut input = module::call(len);
    input.fill(0);
    std::hint::black_box(&mut input);
}

/// Runs the script: the input of `len` bytes is a list of the handle of `run`, payload, headers, metadata and
/// the previous error. The results are true, body, headers, headers of the request, and whether default
/// headers are left out; or false and what is wrong with them.
#[unsafe(no_mangle)]
extern "C" fn run(len: usize) {
    module::call(len);
}
