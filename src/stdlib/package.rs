//! `package`, as C Lua's loadlib.c has it without files and C libraries: no `loadlib`, no `cpath`. `require`
//! itself and the searchers that ask the host and the built-in modules are Lua code (prelude.lua): a module
//! may wait while it loads.

use super::files::path_argument;
use super::prelude;
use crate::lua::{Stack, Thrown, lua_function, raw};
use crate::state::context::context;
use std::ffi::{CStr, c_int};

lua_function!(open_package = open_inner);
lua_function!(search_preload = search_preload_inner);
lua_function!(
    /// `package.searchpath`
    search_path = search_path_inner
);

/// The registry's names for `package.loaded` and `package.preload`.
pub(super) const LOADED: &CStr = c"_LOADED";
const PRELOAD: &CStr = c"_PRELOAD";

/// Templates for scripts that search with them.
const PATH: &[u8] = b"./?.lua;./?/init.lua";
/// Directory separator, path separator, mark of a name, two that only C libraries need.
const CONFIG: &[u8] = b"/\n;\n?\n!\n-\n";

/// Registers the library, and `require` and `async` with it. `[-0, +0, m]`
pub(super) fn open(stack: Stack) -> Result<(), Thrown> {
    stack.require(c"package", open_package);
    prelude::run(stack)
}

fn open_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.push_table(0, 6);
    stack.set_functions(-1, &[(c"searchpath", search_path)]);
    // prelude.lua adds the others.
    stack.push_table(3, 0);
    stack.push_function(search_preload, 0);
    stack.raw_set_index(-2, 1);
    stack.set_field(-2, c"searchers");
    for (name, value) in [(c"path", PATH), (c"config", CONFIG)] {
        stack.push_bytes(value);
        stack.set_field(-2, name);
    }
    for (name, place) in [(c"loaded", LOADED), (c"preload", PRELOAD)] {
        stack.push_subtable(raw::LUA_REGISTRYINDEX, place);
        stack.set_field(-2, name);
    }
    Ok(1)
}

/// The first searcher: `package.preload[name]`.
fn search_preload_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: argument 1 stays on the stack.
    let name = unsafe { stack.check_bytes(1) };
    stack.get_field(raw::LUA_REGISTRYINDEX, PRELOAD);
    stack.push_copy(1);
    if stack.get(-2) == raw::LUA_TNIL {
        stack.push_bytes(b"no field package.preload['");
        stack.push_bytes(name);
        stack.push_bytes(b"']");
        stack.concat(3);
        return Ok(1);
    }
    stack.push_bytes(b":preload:");
    Ok(2)
}

/// `package.searchpath(name, path, separator, replacement)`: the first file of the VM that there is, or where
/// there was none.
fn search_path_inner(stack: Stack) -> Result<c_int, Thrown> {
    let argument = |index| {
        // SAFETY: the arguments stay on the stack, and Lua ends every string with a NUL.
        unsafe { CStr::from_ptr(stack.check_bytes(index).as_ptr().cast()) }
    };
    let optional = |index, default| if stack.is_none_or_nil(index) { default } else { argument(index) };
    let (mut name, path) = (argument(1), argument(2));
    let (separator, replacement) = (optional(3, c"."), optional(4, c"/"));
    stack.set_top(4);
    if !separator.is_empty() {
        stack.push_replaced(name, separator, replacement);
        name = argument(-1);
    }
    stack.push_replaced(path, c"?", name);
    if context(stack).files.is_some() && push_found(stack, argument(-1).to_bytes()) {
        return Ok(1);
    }
    stack.push_nil();
    stack.insert(-2);
    stack.push_bytes(b"no file '");
    stack.insert(-2);
    stack.push_replaced(argument(-1), c";", c"'\n\tno file '");
    stack.remove(-2);
    stack.push_bytes(b"'");
    stack.concat(3);
    Ok(2)
}

/// Pushes the first of these paths that leads to a file; false (and nothing) if none does. `[-0, +(0|1), e]`
fn push_found(stack: Stack, paths: &[u8]) -> bool {
    for path in paths.split(|&byte| byte == b';') {
        let found = path_argument(stack, path);
        let is_there = |found| context(stack).files.as_deref().is_some_and(|files| files.read(found).is_ok());
        if found.as_ref().is_ok_and(is_there) {
            stack.push_bytes(path);
            return true;
        }
    }
    false
}
