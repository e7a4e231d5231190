//! Functions and objects of the host, as Lua sees them. The host knows them by id (docs/codec.md, section 5).
//!
//! - `exchange`: arguments out, results in; raising what the host raised; waiting.
//! - `function`: host functions as Lua functions.
//! - `object`: host objects as userdata, errors among them.
//! - `host_refs`: which of them Lua has, and when it has let go.
//!
//! Keeps true: an id that Lua holds is one the host still has; it learns when Lua has let go. Not here: what ids mean
//! (`HostFunctions` of a shell), how a task is started and resumed (`task`).

use crate::lua::Stack;
use std::any::Any;
use std::fmt;

pub(crate) use self::exchange::forget_failure;
pub(crate) use self::exchange::number_failure;
pub(crate) use self::function::{function_id, open, push_function, push_registered, push_service};
pub(crate) use self::object::{object_id, push_object};

mod exchange;
mod function;
mod host_refs;
mod object;

/// How a call of a host function ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The list holds its results.
    Results,
    /// The list holds one value, to be raised.
    Raises,
    /// It waits. Only where it may.
    Waits,
    /// The value of the last error record is to be raised again.
    RaisesAgain,
    /// No memory for the results.
    OutOfMemory,
}

/// What answers host functions. Methods take `&self`: a call may lead to another one.
pub(crate) trait HostFunctions {
    /// Calls the function `id` with the list `args`; its results are a list in `results`, which comes empty.
    fn call(&self, stack: Stack, id: u32, args: &[u8], may_wait: bool, results: &mut Vec<u8>) -> Ended;

    /// Lua has let go of so many uses of this id.
    fn release(&self, id: u32, uses: u32);

    /// For the shell that knows which one it is.
    fn as_any(&self) -> &dyn Any;
}

impl fmt::Debug for dyn HostFunctions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn HostFunctions")
    }
}

/// What the core itself asks of the host, by the ids of docs/codec.md, section 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Service {
    Get = 0,
    Set = 1,
    Module = 2,
    #[allow(dead_code, reason = "only the wasm shell reads input this way")]
    Input = 3,
    Run = 4,
    Sleep = 5,
}
