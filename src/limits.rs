//! Every limit of the core: its name, its unit, and what must hold between them. Not here: what a host may configure
//! (`Limits`, in `runtime.rs`), whose defaults are these.

/// The IO buffer of the wasm shell: one wasm page, large enough for nearly every program sent by hand.
pub const IO_BUFFER_BYTES: usize = 64 * 1024;

/// The fixed head of a reply (docs/codec.md, section 2).
pub const REPLY_HEADER_BYTES: usize = 16;

/// Captured output is handed to the host when it reaches this, so that printing never fills the VM's memory.
pub const OUTPUT_BUFFER_BYTES: usize = 16 * 1024;

/// Tables inside tables, in a value that travels. Lua's own limit for nested C calls is the same.
pub const VALUE_DEPTH_MAX: usize = 200;

/// Memory of a VM unless its builder says otherwise. On wasm32 this is the whole linear memory.
pub const MEMORY_DEFAULT_BYTES: usize = 2 * 1024 * 1024;

/// Less than this cannot hold the libraries and the IO buffer.
pub const MEMORY_MIN_BYTES: usize = 512 * 1024;

/// Memory limit per slot of Lua's stack: runaway recursion is a "stack overflow", with a traceback, before memory runs
/// out. The smallest frame takes one slot (16 bytes, twice while the stack grows) and one call record (40 bytes on wasm32,
/// 72 natively).
pub const MEMORY_BYTES_PER_STACK_SLOT: usize = 128;

/// Lua's own ceiling, whatever the memory.
pub const STACK_SLOTS_MAX: usize = 1_000_000;

/// Fewest slots of a Lua stack: what the libraries and one call of a host function take, several times over.
pub const STACK_SLOTS_MIN: usize = 1_000;

/// Of Lua's memory, what a script cannot fill: for compiling the next chunk and bringing in its arguments.
pub const HOST_RESERVE_BYTES: usize = 24 * 1024;

/// Of the module's memory on wasm32, what Lua cannot have: Rust's own buffers, the emergency reserve among them.
pub const RUST_RESERVE_BYTES: usize = 48 * 1024;

/// Held back from Lua, so that a failure for want of memory can be described.
pub const EMERGENCY_RESERVE_BYTES: usize = 16 * 1024;

/// What must be free when mlua is set up in a VM (`src/api/mlua.rs`): several times what it takes.
#[cfg(feature = "mlua")]
pub const MLUA_START_BYTES: usize = 16 * 1024;

/// Bytes of a name: a chunk's, a table's, a function's.
pub const NAME_BYTES_MAX: usize = 1024;

/// Calls of the host inside calls of Lua inside calls of the host. Each level takes C stack on both sides.
pub const HOST_DEPTH_MAX: u32 = 128;

/// Ids of host functions below this are services (docs/codec.md, section 5).
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
