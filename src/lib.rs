//! Perilune: a persistent, sandboxed Lua 5.4 for the web, around PUC-Rio's C sources.
//!
//! A small core asks its [`Host`] for everything: it does no I/O, names no JavaScript, reads no clock by
//! itself and never waits. A [`Runtime`] is an ordinary value; "one global state" is a decision of the wasm
//! module's exports (module `js`, on wasm32 only), not of the core.
//!
//! ```
//! use perilune::{Runtime, Value};
//!
//! let mut lua = Runtime::builder().build()?;
//! let reply = lua.eval("x = (x or 0) + 1; return x, 'two'")?;
//! assert_eq!(reply.values, [Value::Integer(1), Value::from("two")]);
//! # Ok::<(), perilune::Error>(())
//! ```

#[cfg(feature = "mlua")]
pub use crate::api::MluaHandle;
pub use crate::api::{
    Base64, Builder, FileInfo, Files, GcMode, Json, Library, Limits, Raise, Reply, Results, Runtime, Stats,
    Task, Vm,
};
pub use crate::error::{Error, ErrorKind, LuaError, Result};
pub use crate::host::{Host, NativeHost, Stream};
pub use crate::store::{MemoryStore, StoreError, TableId, TableStore};
pub use crate::value::{
    Bytes, ConvertError, FromLua, FromLuaMulti, IntoLua, IntoLuaMulti, Table, TableData, Value, Variadic,
};
#[cfg(feature = "serde")]
pub use crate::value::{from_value, to_value};
pub use crate::vm::protocol;

mod api;
mod error;
mod ext;
mod files;
mod host;
mod host_call;
#[cfg(any(feature = "jit", all(test, not(target_arch = "wasm32"))))]
mod jit;
pub mod limits;
mod lua;
mod marshal;
mod state;
mod stdlib;
pub mod store;
pub mod value;
mod vm;

#[cfg(all(feature = "js", target_arch = "wasm32", target_os = "unknown"))]
pub mod js;

#[cfg(all(feature = "heap", target_arch = "wasm32", target_os = "unknown"))]
pub mod heap;

/// The libc of wasm32-unknown-unknown: what Lua's C files call. Natively only its tests are built.
#[cfg(any(test, all(target_arch = "wasm32", target_os = "unknown")))]
#[path = "../lua-5.4/port/libc/mod.rs"]
mod libc;

/// Has the samples of README.md run with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
