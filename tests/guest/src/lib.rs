//! A wasm module of one's own on the crate `perilune`, as a server would embed it: six imports, six exports
//! and `memory`, an allocator and a panic hook of its own, and no JavaScript.
//!
//! An answer is a status (0, or 1 for an error) and text: `answer_len` bytes at the address `answer_at`. Only
//! numbers go in and out. Not here: what answers the imports (guest.test.mjs).
#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#![allow(missing_docs, reason = "the exports are the module's, and described above")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};

use perilune::{Bytes, Error, Host, Limits, Runtime, Stream, Value, Vm};

mod imports {
    #[link(wasm_import_module = "guest")]
    unsafe extern "C" {
        pub(crate) safe fn clock_ms() -> f64;
        pub(crate) safe fn monotonic_ms() -> f64;
        pub(crate) safe fn random_u64() -> u64;
        pub(crate) safe fn interrupted() -> u32;
        /// `len` bytes at `at`: output of a stream (1 or 2), or the message of a panic (0).
        pub(crate) fn write(stream: u32, at: *const u8, len: usize);
        /// An operation on `len` bytes at `at`, answered in the same place: the length of the answer.
        pub(crate) fn call(operation: u32, at: *mut u8, len: usize, room: usize) -> usize;
    }
}

/// The system's allocator, with a count of the bytes that are allocated.
struct Counting {
    bytes: AtomicUsize,
}

#[global_allocator]
static ALLOCATOR: Counting = Counting { bytes: AtomicUsize::new(0) };

// SAFETY: `System` does the work; its blocks are passed through as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.bytes.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: handed on from the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.bytes.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: handed on from the caller.
        unsafe { System.dealloc(block, layout) }
    }
}

struct Imported;

impl Host for Imported {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        // SAFETY: the host reads those bytes, and only during the call.
        unsafe { imports::write(stream as u32, bytes.as_ptr(), bytes.len()) };
    }

    fn clock_ms(&mut self) -> f64 {
        imports::clock_ms()
    }

    fn monotonic_ms(&mut self) -> f64 {
        imports::monotonic_ms()
    }

    fn random_u64(&mut self) -> u64 {
        imports::random_u64()
    }

    fn interrupted(&mut self) -> bool {
        imports::interrupted() != 0
    }
}

#[derive(Default)]
struct Module {
    runtime: Option<Runtime>,
    input: Vec<u8>,
    answer: Vec<u8>,
}

thread_local! {
    static MODULE: RefCell<Module> = RefCell::default();
}

/// Runs `work` with the module's state; its result becomes the answer.
fn answer(work: impl FnOnce(&mut Module) -> Result<Vec<u8>, Error>) -> u32 {
    MODULE.with_borrow_mut(|module| {
        let (status, text) = match work(module) {
            Ok(text) => (0, text),
            Err(error) => (1, format!("{}: {error}", error.code()).into_bytes()),
        };
        module.answer = text;
        status
    })
}

/// Asks the host for an operation on some bytes.
fn ask(_: &mut Vm, (operation, Bytes(mut bytes)): (u32, Bytes)) -> Result<Bytes, Error> {
    const ROOM_BYTES: usize = 1024;
    let len = bytes.len();
    bytes.resize(len.max(ROOM_BYTES), 0);
    // SAFETY: the host reads `len` bytes there and writes at most as many as there are, only during the call.
    let len = unsafe { imports::call(operation, bytes.as_mut_ptr(), len, bytes.len()) };
    bytes.truncate(len);
    Ok(Bytes(bytes))
}

/// Makes the VM anew, with so many bytes for Lua.
#[unsafe(no_mangle)]
extern "C" fn start(memory_bytes: usize) -> u32 {
    std::panic::set_hook(Box::new(|info| {
        let text = info.to_string();
        // SAFETY: as in `Imported::write`.
        unsafe { imports::write(0, text.as_ptr(), text.len()) };
    }));
    answer(|module| {
        module.runtime = None;
        let mut limits = Limits::default();
        limits.memory_bytes = memory_bytes;
        let mut runtime = Runtime::builder().host(Imported).limits(limits).build()?;
        runtime.register("ask", ask)?;
        runtime.register("panic", |_: &mut Vm, (): ()| -> Result<(), Error> { panic!("asked for") })?;
        module.runtime = Some(runtime);
        Ok(Vec::new())
    })
}

/// Address of room for an input of `len` bytes.
#[unsafe(no_mangle)]
extern "C" fn input(len: usize) -> *mut u8 {
    MODULE.with_borrow_mut(|module| {
        module.input.resize(len, 0);
        module.input.as_mut_ptr()
    })
}

/// Runs the input as Lua; the answer is what it returned, separated by tabs.
#[unsafe(no_mangle)]
extern "C" fn eval() -> u32 {
    answer(|module| {
        let source = std::mem::take(&mut module.input);
        let runtime = module.runtime.as_mut().expect("`start` was called");
        // The name that the golden scripts expect in messages.
        let reply = runtime.eval_named(&source, "golden")?;
        let values: Vec<Vec<u8>> = reply.values.into_iter().map(text).collect();
        Ok(values.join(&b'\t'))
    })
}

fn text(value: Value) -> Vec<u8> {
    match value {
        Value::String(bytes) => bytes,
        Value::Integer(number) => number.to_string().into_bytes(),
        Value::Boolean(truth) => truth.to_string().into_bytes(),
        other => format!("{other:?}").into_bytes(),
    }
}

/// Address of the last answer.
#[unsafe(no_mangle)]
extern "C" fn answer_at() -> *const u8 {
    MODULE.with_borrow(|module| module.answer.as_ptr())
}

/// Length of the last answer, in bytes.
#[unsafe(no_mangle)]
extern "C" fn answer_len() -> usize {
    MODULE.with_borrow(|module| module.answer.len())
}

/// Bytes that are allocated now.
#[unsafe(no_mangle)]
extern "C" fn allocated() -> usize {
    ALLOCATOR.bytes.load(Ordering::Relaxed)
}
