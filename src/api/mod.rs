//! The interface for Rust programs: VMs, calls and functions with Rust's own types.

pub use self::future::Task;
pub use self::runtime::{Builder, Limits, Runtime};
pub use self::vm::{GcMode, Reply, Stats, Vm};

#[cfg(test)]
mod alloc_failure;
pub(crate) mod function_table;
mod functions;
mod future;
#[cfg(feature = "mlua")]
pub(crate) mod mlua;
pub(crate) mod runtime;
pub(crate) mod vm;
