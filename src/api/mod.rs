//! The interface for Rust programs: VMs, calls and functions with Rust's own types.

pub use self::files::{FileInfo, Files};
pub use self::future::Task;
pub use self::library::{Base64, Json, Library};
#[cfg(feature = "mlua")]
pub use self::mlua::MluaHandle;
pub use self::raise::Raise;
pub use self::results::Results;
pub use self::runtime::{Builder, Limits, Runtime};
#[cfg(all(feature = "exports", target_arch = "wasm32", target_os = "unknown"))]
pub(crate) use self::vm::VmParts;
pub use self::vm::{GcMode, Reply, Stats, Vm};

#[cfg(test)]
mod alloc_failure;
mod files;
mod function_table;
mod functions;
mod future;
mod library;
#[cfg(feature = "mlua")]
mod mlua;
mod operations;
mod raise;
mod results;
mod runtime;
mod vm;
