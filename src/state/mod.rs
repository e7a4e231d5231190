//! State of a VM that a callback finds through its `lua_State`: the host, the store, the limits of the
//! running call, the last error.

pub(crate) mod context;
pub(crate) mod error_record;
pub(crate) mod extension;
pub(crate) mod guarded;
mod hints;
pub(crate) mod host_functions;
pub(crate) mod kept_files;
pub(crate) mod limit_exceeded;
pub(crate) mod meter;
pub(crate) mod output;
