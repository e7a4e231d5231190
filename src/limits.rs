//! The limits of the core, each with its unit, and the relations that must hold between them. Not here: the
//! limits that a host may configure (`Limits`, in `src/api/runtime.rs`), whose defaults are these.

/// Size of the IO buffer of the wasm module, in bytes: one page of wasm memory, which holds nearly every
/// program and reply. Larger ones get a block of their own.
pub const IO_BUFFER_BYTES: usize = 64 * 1024;

/// Size of the fixed header of a reply, in bytes (docs/codec.md, section 2).
pub const REPLY_HEADER_BYTES: usize = 16;

/// Size of captured output, in bytes, at which it is handed to the host, so that printing never fills the
/// VM's memory.
pub const OUTPUT_BUFFER_BYTES: usize = 16 * 1024;

/// Greatest nesting of tables in a value that is encoded or decoded. Equal to Lua's own limit of nested C
/// calls (`LUAI_MAXCCALLS`).
pub const VALUE_DEPTH_MAX: usize = 200;

/// Default memory limit of a VM, in bytes. On wasm32 it bounds the whole linear memory, natively Lua's own
/// allocations.
pub const MEMORY_DEFAULT_BYTES: usize = 2 * 1024 * 1024;

/// Smallest memory limit of a VM, in bytes. Less cannot hold the libraries and the IO buffer.
pub const MEMORY_MIN_BYTES: usize = 512 * 1024;

/// Bytes of the memory limit per slot of a Lua stack: the limit divided by this is the most slots that a
/// stack may have. It is large enough that runaway recursion ends in a "stack overflow", with a traceback,
/// before memory runs out. The smallest frame takes one slot (16 bytes, twice while the stack grows) and one
/// call record (40 bytes on wasm32, 72 natively).
pub const MEMORY_BYTES_PER_STACK_SLOT: usize = 128;

/// Most slots of a Lua stack, whatever the memory: Lua's own limit (`LUAI_MAXSTACK`).
pub const STACK_SLOTS_MAX: usize = 1_000_000;

/// Fewest slots of a Lua stack: several times what the libraries and one call of a host function take.
pub const STACK_SLOTS_MIN: usize = 1_000;

/// Bytes of Lua's memory that scripts cannot use. They are reserved for the host, which needs them to compile
/// the next chunk and to pass in its arguments even when a script has filled the rest.
pub const HOST_RESERVE_BYTES: usize = 24 * 1024;

/// Bytes of the module's memory that Lua cannot use, on wasm32. They are for Rust's buffers, which include
/// the emergency reserve.
pub const RUST_RESERVE_BYTES: usize = 48 * 1024;

/// Size of the emergency reserve, in bytes: memory that is freed when a call fails, so that even a failure
/// for lack of memory can be described.
pub const EMERGENCY_RESERVE_BYTES: usize = 16 * 1024;

/// Bytes that must be free when mlua is set up in a VM (`src/api/mlua.rs`): several times what it takes,
/// because mlua panics if memory runs out then.
#[cfg(feature = "mlua")]
pub const MLUA_START_BYTES: usize = 16 * 1024;

/// Greatest length of a name of a chunk, an external table or a function, in bytes.
pub const NAME_BYTES_MAX: usize = 1024;

/// Greatest length of the path of a file, in bytes.
pub const PATH_BYTES_MAX: usize = 1024;

/// Most calls of the host inside calls of Lua inside calls of the host. Each level takes stack of C and of
/// the host's language.
pub const HOST_DEPTH_MAX: u32 = 128;

/// Number of ids of host functions, from 0, that are reserved for services (docs/codec.md, section 5).
pub const HOST_SERVICES_MAX: u32 = 16;

/// First id of functions and objects of Rust; the host's own are below it (docs/codec.md, section 5).
pub const RUST_ID_FIRST: u32 = 0x4000_0000;

/// Number of the first operation that a module with more libraries may add (docs/codec.md, section 3).
pub const EXTENSION_OPERATION_FIRST: u32 = 256;

const _: () = assert!(REPLY_HEADER_BYTES < IO_BUFFER_BYTES);
const _: () = assert!(OUTPUT_BUFFER_BYTES < IO_BUFFER_BYTES);
const _: () = assert!(IO_BUFFER_BYTES < MEMORY_MIN_BYTES);
const _: () = assert!(EMERGENCY_RESERVE_BYTES < RUST_RESERVE_BYTES);
#[cfg(feature = "mlua")]
const _: () = assert!(MLUA_START_BYTES < HOST_RESERVE_BYTES);
const _: () = assert!(HOST_RESERVE_BYTES + RUST_RESERVE_BYTES < MEMORY_MIN_BYTES / 2);
const _: () = assert!(MEMORY_MIN_BYTES <= MEMORY_DEFAULT_BYTES);
const _: () = assert!(STACK_SLOTS_MIN <= MEMORY_MIN_BYTES / MEMORY_BYTES_PER_STACK_SLOT);
const _: () = assert!(HOST_SERVICES_MAX < RUST_ID_FIRST);
