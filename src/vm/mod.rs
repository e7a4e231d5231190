//! A VM in bytes: its making and its end, its calls, their operations and replies (docs/codec.md, sections 2,
//! 3 and 5).
//!
//! Not here: Rust's own types (`api`), the IO buffer of the wasm module (`js`).

pub(crate) use self::owned_vm::{OwnedVm, Sizes, out_of_memory};
pub(crate) use self::raw_vm::RawVm;

mod call;
mod operations;
mod owned_vm;
pub mod protocol;
mod raw_vm;
mod request;
mod task;
