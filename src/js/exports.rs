//! The exports of a wasm module: one VM behind the IO buffer (docs/codec.md, section 3).
//!
//! Plain C functions of numbers: wasm-bindgen passes them through as they are, under their own names.
//! [`exports!`](crate::exports) makes them in the crate of the module, which says there which libraries its
//! VM has; what they do is here.

use super::io_buffer::{IoBuffer, Owner};
use super::{JsFunctions, JsHost, JsStore, panic};
use crate::api::{Library, VmParts};
use crate::heap;
use crate::limits::{IO_BUFFER_BYTES, MEMORY_DEFAULT_BYTES, MEMORY_MIN_BYTES, RUST_RESERVE_BYTES};
use crate::state::host_functions::{Functions, Side};
use crate::vm::protocol::Outcome;
use crate::vm::{OwnedVm, RawVm, Sizes};
use std::cell::UnsafeCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;

/// Makes the exports of a wasm module whose VM has these libraries, opened in this order. Each is an
/// expression, evaluated when the VM is made. Used once in a `cdylib`, which is built for
/// `wasm32-unknown-unknown` with the feature `exports`.
///
/// ```ignore
/// perilune::exports!(libraries = [perilune::Json, perilune::Base64, Geometry]);
/// ```
#[macro_export]
macro_rules! exports {
    (libraries = [$($library:expr),* $(,)?]) => {
        const _: () = {
            use $crate::js::{exports, snapshot};

            /// Sets the bytes of linear memory, before `init`; 0 means 2 MiB. Returns 0, or 8 when it is too
            /// little or too late.
            #[unsafe(no_mangle)]
            extern "C" fn configure(memory_limit: u32) -> i32 {
                exports::configure(memory_limit)
            }

            /// Makes the VM. Returns 0, 3 when memory is too small, 8 when it was made before, 9 when a
            /// library could not be opened.
            #[unsafe(no_mangle)]
            extern "C" fn init() -> i32 {
                exports::init(&[$(&$library),*])
            }

            /// Takes over the memory of another instance, in place of `init`: see docs/codec.md, section 3.
            #[unsafe(no_mangle)]
            extern "C" fn restore(memory_limit: u32) -> i32 {
                exports::restore(memory_limit)
            }

            /// Address of the IO buffer.
            #[unsafe(no_mangle)]
            extern "C" fn io_ptr() -> u32 {
                exports::io_ptr()
            }

            /// Length of the IO buffer: 65536.
            #[unsafe(no_mangle)]
            extern "C" fn io_len() -> u32 {
                exports::io_len()
            }

            /// Bytes of the stack, which is the first thing in memory.
            #[unsafe(no_mangle)]
            extern "C" fn stack_len() -> u32 {
                exports::stack_len()
            }

            /// Address for the next input of `len` bytes; 0 when there is no memory for it or a call runs.
            #[unsafe(no_mangle)]
            extern "C" fn io_reserve(len: u32) -> u32 {
                exports::io_reserve(len)
            }

            /// Runs the source in the IO buffer; returns the length of the reply, 0 when a call runs already.
            #[unsafe(no_mangle)]
            extern "C" fn eval(len: u32) -> u32 {
                exports::eval(len)
            }

            /// Runs an operation on the list in the IO buffer; returns as `eval` does.
            #[unsafe(no_mangle)]
            extern "C" fn request(operation: u32, len: u32) -> u32 {
                exports::request(operation, len)
            }

            /// Fills memory that is free with zeros, between two calls.
            #[unsafe(no_mangle)]
            extern "C" fn clear_free() {
                snapshot::clear_free();
            }

            /// Compresses memory into the second half of the IO buffer: see docs/codec.md, section 6.
            #[unsafe(no_mangle)]
            extern "C" fn pack(at: u32, len: u32) -> u32 {
                snapshot::pack(at, len)
            }

            /// Decompresses the start of the IO buffer into its second half: see docs/codec.md, section 6.
            #[unsafe(no_mangle)]
            extern "C" fn unpack(len: u32) -> u32 {
                snapshot::unpack(len)
            }

            $crate::jit_exports!();
        };
    };
}

/// The exports of the compiler of hot functions, in a module that has it (feature `jit`).
#[cfg(feature = "jit")]
#[doc(hidden)]
#[macro_export]
macro_rules! jit_exports {
    () => {
        use $crate::js::jit;

        /// Sets the samples from which on a function is compiled (0: none ever), the instructions of a
        /// recording, and a seed with which guards fail at random (0: none).
        #[unsafe(no_mangle)]
        extern "C" fn jit_tune(threshold: u32, length: u32, exit_seed: u32) {
            jit::tune(threshold, length, exit_seed);
        }

        /// Times that compiled code gave up.
        #[unsafe(no_mangle)]
        extern "C" fn jit_exits() -> u32 {
            jit::exits()
        }

        /// Takes all that is compiled out of memory, into the IO buffer. Returns its length in pairs of
        /// words.
        #[unsafe(no_mangle)]
        extern "C" fn jit_park() -> u32 {
            exports::jit_park()
        }

        /// Puts back what `jit_park` gave, from the IO buffer. Nothing may have run in between.
        #[unsafe(no_mangle)]
        extern "C" fn jit_unpark(pairs: u32) {
            exports::jit_unpark(pairs);
        }
    };
}

#[cfg(not(feature = "jit"))]
#[doc(hidden)]
#[macro_export]
macro_rules! jit_exports {
    () => {};
}

/// The store that the host attaches for this VM.
const STORE: u32 = 0;

/// The one VM of the module, and its buffer.
struct Module {
    io: IoBuffer,
    /// The VM, which is never dropped: a module ends with its instance.
    vm: Option<ManuallyDrop<OwnedVm>>,
    /// 0 until `configure` says otherwise: all zeros, so that the static takes no room in the module.
    memory_limit: usize,
}

struct Global(UnsafeCell<Module>);

// SAFETY: wasm32-unknown-unknown without atomics has one thread.
unsafe impl Sync for Global {}

static MODULE: Global = Global(UnsafeCell::new(Module { io: IoBuffer::new(), vm: None, memory_limit: 0 }));

/// The state of the module. The reference has to end before Lua runs: a host function may call in, which
/// makes another one.
#[allow(clippy::mut_from_ref, reason = "each use is one statement, as with `context`")]
fn module() -> &'static mut Module {
    // SAFETY: one thread, and no two of these references live at the same time (see above).
    unsafe { &mut *MODULE.0.get() }
}

/// Lets JavaScript use the IO buffer and call in while `call` runs.
pub(super) fn with_js_owner<R>(call: impl FnOnce() -> R) -> R {
    let owner = std::mem::replace(&mut module().io.owner, Owner::Js);
    let result = call();
    module().io.owner = owner;
    result
}

fn vm() -> Option<RawVm> {
    module().vm.as_ref().map(|vm| vm.raw(Side::Host))
}

#[doc(hidden)]
pub fn configure(memory_limit: u32) -> i32 {
    let module = module();
    let limit = if memory_limit == 0 { MEMORY_DEFAULT_BYTES } else { memory_limit as usize };
    if module.vm.is_some() || limit < MEMORY_MIN_BYTES {
        return Outcome::Usage as i32;
    }
    module.memory_limit = limit;
    0
}

#[doc(hidden)]
pub fn init(libraries: &[&dyn Library]) -> i32 {
    let module = module();
    if module.vm.is_some() {
        return Outcome::Usage as i32;
    }
    panic::set_hook();
    let memory_bytes = if module.memory_limit == 0 { MEMORY_DEFAULT_BYTES } else { module.memory_limit };
    if !heap::set_limit(memory_bytes) {
        return Outcome::Memory as i32;
    }
    let (host, store) = (Box::new(JsHost::default()), Box::new(JsStore::new(STORE)));
    let functions = Functions { host: Rc::new(JsFunctions::default()), rust: None };
    let Ok(vm) = OwnedVm::new(host, store, functions, sizes(memory_bytes)).map(ManuallyDrop::new) else {
        return Outcome::Memory as i32;
    };
    if vm.open_libraries().is_err() {
        return Outcome::Memory as i32;
    }
    let mut parts = ManuallyDrop::new(VmParts::new(vm.raw(Side::Rust)));
    for library in libraries {
        if parts.as_vm_mut().open_library(*library).is_err() {
            return Outcome::Bug as i32;
        }
    }
    #[cfg(feature = "jit")]
    super::jit::begin(vm.stack());
    module.vm = Some(vm);
    0
}

/// Sizes of the VM in a memory of so many bytes: Lua gets what the stack, static data, the IO buffer and
/// Rust's buffers leave.
fn sizes(memory_bytes: usize) -> Sizes {
    let lua_bytes = memory_bytes.saturating_sub(heap::heap_base() + RUST_RESERVE_BYTES);
    Sizes { limit_bytes: memory_bytes, lua_bytes, stack_slots: None }
}

/// Starts the module, instead of `init`, when the memory is that of another instance of this module, which
/// was between two calls: sets the bytes of linear memory, 0 for what they were there. Returns 0, 3 when it
/// is larger already, 8 when there is no VM in it.
#[doc(hidden)]
pub fn restore(memory_limit: u32) -> i32 {
    let module = module();
    module.io.owner = Owner::Js;
    let limit = match memory_limit {
        0 if module.memory_limit == 0 => MEMORY_DEFAULT_BYTES,
        0 => module.memory_limit,
        limit => limit as usize,
    };
    let Some(vm) = &module.vm else { return Outcome::Usage as i32 };
    if limit < MEMORY_MIN_BYTES || !heap::set_limit(limit) {
        return Outcome::Memory as i32;
    }
    module.memory_limit = limit;
    vm.resize(sizes(limit));
    // An image has nothing that is compiled.
    #[cfg(feature = "jit")]
    if !super::jit::is_parked() {
        return Outcome::Usage as i32;
    }
    0
}

/// See `jit_exports!`.
#[cfg(feature = "jit")]
#[doc(hidden)]
pub fn jit_park() -> u32 {
    match &module().vm {
        Some(vm) => super::jit::park(vm.stack(), io_ptr()),
        None => 0,
    }
}

/// See `jit_exports!`.
#[cfg(feature = "jit")]
#[doc(hidden)]
pub fn jit_unpark(pairs: u32) {
    if let Some(vm) = &module().vm {
        super::jit::unpark(vm.stack(), io_ptr(), pairs);
    }
}

#[doc(hidden)]
pub fn io_ptr() -> u32 {
    module().io.address().addr() as u32
}

#[doc(hidden)]
pub fn io_len() -> u32 {
    IO_BUFFER_BYTES as u32
}

#[doc(hidden)]
pub fn stack_len() -> u32 {
    heap::stack_end() as u32
}

#[doc(hidden)]
pub fn io_reserve(len: u32) -> u32 {
    if module().io.owner == Owner::Running {
        return 0;
    }
    if let Some(mut vm) = vm() {
        // The last reply has been read; its memory may be what the input needs.
        vm.clear_reply();
    }
    module().io.owner = Owner::Js;
    module().io.reserve(len as usize).addr() as u32
}

#[doc(hidden)]
pub fn eval(len: u32) -> u32 {
    run(len, |vm, input| vm.eval_raw(input, c"=eval"))
}

#[doc(hidden)]
pub fn request(operation: u32, len: u32) -> u32 {
    run(len, |vm, input| vm.request_raw(operation, input))
}

fn run(len: u32, run: impl FnOnce(&mut RawVm, &[u8]) -> Outcome) -> u32 {
    if module().io.owner == Owner::Running {
        return 0;
    }
    let Some(mut vm) = vm() else { return 0 };
    let outcome = match module().io.take_input(len as usize) {
        Some(input) => {
            module().io.owner = Owner::Running;
            vm.clear_reply();
            run(&mut vm, input.bytes())
        }
        None => vm.refuse_usage("input is longer than what was reserved"),
    };
    module().io.put_reply(outcome, &mut vm) as u32
}
