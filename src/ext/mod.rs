//! The global `ext`: tables that outlive the VM. The Lua side of a [`TableStore`](crate::store::TableStore).
//!
//! A proxy is an empty Lua table with a closed metatable; the id of its table is an upvalue of the
//! metamethods, out of reach of scripts. Two registry tables, keyed by the addresses of the statics below,
//! lead from name to proxy and from proxy to name.

#[cfg(c_pointers)]
pub(crate) use self::iterate::perilune_next;
pub(crate) use self::library::open;
pub(crate) use self::proxy::{push_name_of, push_table};

mod iterate;
mod library;
mod proxy;
mod store_call;
