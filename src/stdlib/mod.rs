//! The standard libraries that Lua sees in a sandbox ("strict"): C Lua's own where they are pure, ours
//! where they would touch the world.
//!
//! Not here: `ext`. Left out on purpose: string.dump, what of `debug` reaches into functions, processes,
//! package.loadlib and cpath; binary chunks are refused. What works with files is there when the host gives
//! some (`files`).

pub(crate) use self::base::{push_collect_garbage, push_random_seed};
use crate::lua::{PURE_LIBRARIES, Stack, Thrown};

pub(crate) use self::base64::open_base64;
pub(crate) use self::files::{push_arguments, request as request_files};
pub(crate) use self::json::open_json;
pub(crate) use self::libraries::{keep as keep_libraries, unknown as unknown_library};
pub(crate) use self::prelude::{add_module, make_environment};

mod base;
mod base64;
mod debug;
mod files;
mod io;
mod json;
mod libraries;
mod options;
mod os;
mod package;
mod prelude;
mod scratch;

/// Opens the libraries. `[-0, +0, m]`
pub(crate) fn open(stack: Stack, seed: u64) -> Result<(), Thrown> {
    for (name, open) in PURE_LIBRARIES {
        stack.require(name, open);
    }
    base::harden(stack, seed);
    io::open(stack);
    os::open(stack);
    package::open(stack)
}
