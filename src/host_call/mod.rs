//! Functions and objects of the host, as Lua sees them. The host knows them by id (docs/codec.md, section 5).
//!
//! - `exchange`: arguments out, results in; raising what the host raised; waiting.
//! - `function`: host functions as Lua functions.
//! - `object`: host objects as userdata, errors among them.
//! - `host_refs`: which of them Lua has, and when it has released them.
//!
//! Keeps true: an id that Lua has is one the host still has; the host is notified when Lua has released it.
//! Not here: what ids mean (`HostFunctions` of a host), how a task is started and resumed (`task`).

pub(crate) use self::exchange::{ask, forget_error, number_error, take_settled};
pub(crate) use self::function::{
    function_id, open, push_function, push_registered, push_registered_table, push_service,
};
pub(crate) use self::host_refs::release_host_value;
pub(crate) use self::object::{add_traceback, object_id, push_object};

mod exchange;
mod function;
mod host_refs;
mod object;
