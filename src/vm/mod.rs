//! Operations on a VM, in bytes.

pub(crate) mod operations;
pub mod request;
pub(crate) mod task;
