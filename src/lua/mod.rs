//! The one folder that calls C Lua: a thin layer over `mlua-sys` that states Lua's rules once.
//!
//! - [`Stack`] is a `lua_State` that is valid here and now. Its methods say what they do to the Lua stack in
//!   the manual's notation: `[-popped, +pushed, may raise]`, where `m` is a memory error, `e` any error, `-`
//!   none.
//! - Raising is a jump over Rust frames. So nothing with a destructor is alive in a frame that calls a
//!   raising method, and raising methods are called only below a protected call.
//! - [`lua_function!`] makes a C function of a Rust one that returns `Result`: it raises as its very last
//!   act.

pub(crate) use self::alloc::{Memory, Refusal};
pub(crate) use self::bulk::{Step, Walk};
pub(crate) use self::counted::{Counted, Refused};
pub(crate) use self::debug::FunctionInfo;
pub(crate) use self::functions::{Thrown, lua_continuation, lua_function};
pub(crate) use self::json::{Item, Kind, Marks, Names, TableAddress};
pub(crate) use self::libraries::{PURE_LIBRARIES, open_math, open_table};
#[cfg(c_pointers)]
pub(crate) use self::pointers::set_pointers;
pub(crate) use self::references::RefKind;
pub(crate) use self::source::file_text;
pub(crate) use self::stack::{Resumed, Role, Stack, Status, name_of_type};
pub(crate) use self::state::{State, set_hash_seed};
pub(crate) use mlua_sys::lua54 as raw;

mod alloc;
mod bulk;
mod counted;
mod debug;
pub(crate) mod emergency;
pub(crate) mod fuel;
mod functions;
#[cfg(all(feature = "jit", target_arch = "wasm32", target_os = "unknown"))]
pub(crate) mod jit;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod jit_tests;
mod json;
mod libraries;
#[cfg(c_pointers)]
mod pointers;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod prototypes;
mod references;
mod slabs;
mod source;
mod stack;
mod state;
