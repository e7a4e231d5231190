//! `require` and `package`, as C Lua's loadlib.c has them without files and C libraries: no `loadlib`, no `cpath`, and
//! the searchers are `package.preload` and the host. A script may add its own.

use crate::lua::{Stack, Thrown, lua_function, raw};
use std::ffi::{CStr, c_int};

lua_function!(open_package = open_inner);
lua_function!(require = require_inner);
lua_function!(search_preload = search_preload_inner);
lua_function!(search_host = search_host_inner);
lua_function!(search_path = search_path_inner);

/// The registry's names for `package.loaded` and `package.preload`.
const LOADED: &CStr = c"_LOADED";
const PRELOAD: &CStr = c"_PRELOAD";

/// Templates for scripts that search with them.
const PATH: &[u8] = b"./?.lua;./?/init.lua";
/// Directory separator, path separator, mark of a name, two that only C libraries need.
const CONFIG: &[u8] = b"/\n;\n?\n!\n-\n";

/// The table `package`, for `require`.
const PACKAGE: c_int = raw::lua_upvalueindex(1);

/// Registers the library. `[-0, +0, m]`
pub(super) fn open(stack: Stack) {
    stack.require(c"package", open_package);
}

fn open_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.push_table(0, 6);
    stack.set_functions(-1, &[(c"searchpath", search_path)]);
    stack.push_table(2, 0);
    for (index, searcher) in [(1, search_preload as raw::lua_CFunction), (2, search_host)] {
        stack.push_function(searcher, 0);
        stack.raw_set_index(-2, index);
    }
    stack.set_field(-2, c"searchers");
    for (name, value) in [(c"path", PATH), (c"config", CONFIG)] {
        stack.push_bytes(value);
        stack.set_field(-2, name);
    }
    for (name, place) in [(c"loaded", LOADED), (c"preload", PRELOAD)] {
        stack.push_subtable(raw::LUA_REGISTRYINDEX, place);
        stack.set_field(-2, name);
    }
    stack.push_globals();
    stack.push_copy(-2);
    stack.push_function(require, 1);
    stack.set_field(-2, c"require");
    stack.pop(1);
    Ok(1)
}

/// `require(name)`: the module's value and its loader data, or only the value when it was loaded before.
fn require_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: only checked (and a number turned into a string); the name stays at index 1.
    let _ = unsafe { stack.check_bytes(1) };
    stack.set_top(1);
    stack.get_field(raw::LUA_REGISTRYINDEX, LOADED);
    push_loaded(stack);
    if stack.boolean(-1) {
        return Ok(1);
    }
    stack.pop(1);
    find_loader(stack)?;
    // From here on: name, loaded, ..., loader, loader data.
    let loader = stack.top() - 1;
    stack.push_copy(loader);
    stack.push_copy(1);
    stack.push_copy(loader + 1);
    stack.call(2, 1);
    if stack.type_of(-1) == raw::LUA_TNIL {
        stack.pop(1);
    } else {
        set_loaded(stack);
    }
    // The module may have set its own value, or none: then it is `true`.
    if push_loaded(stack) == raw::LUA_TNIL {
        stack.pop(1);
        stack.push_boolean(true);
        stack.push_copy(-1);
        set_loaded(stack);
    }
    stack.push_copy(loader + 1);
    Ok(2)
}

/// `loaded[name]`. `[-0, +1, e]`
fn push_loaded(stack: Stack) -> c_int {
    stack.push_copy(1);
    stack.get(2)
}

/// `loaded[name] = value`. `[-1, +0, e]`
fn set_loaded(stack: Stack) {
    stack.push_copy(1);
    stack.insert(-2);
    stack.set(2);
}

/// Asks every searcher, in order, for a loader of the module at index 1. `[-0, +4, e]`: searchers, messages, loader, data.
fn find_loader(stack: Stack) -> Result<(), Thrown> {
    if stack.get_field(PACKAGE, c"searchers") != raw::LUA_TTABLE {
        return Err(stack.throw(b"'package.searchers' must be a table"));
    }
    let searchers = stack.top();
    stack.push_bytes(b"");
    let messages = stack.top();
    for index in 1.. {
        if stack.raw_get_index(searchers, index) == raw::LUA_TNIL {
            break;
        }
        stack.push_copy(1);
        stack.call(1, 2);
        match stack.type_of(-2) {
            raw::LUA_TFUNCTION => return Ok(()),
            raw::LUA_TSTRING | raw::LUA_TNUMBER => {
                stack.pop(1);
                stack.push_bytes(b"\n\t");
                stack.insert(-2);
                stack.concat(3);
            }
            _ => stack.pop(2),
        }
    }
    // SAFETY: both strings stay on the stack until the error is made.
    let (name, messages) = unsafe { (stack.check_bytes(1), stack.check_bytes(messages)) };
    Err(stack.throw_joined([b"module '", name, b"' not found:", messages]))
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

/// The second searcher: modules whose source the host has. No host has any yet, so it finds nothing and says nothing.
fn search_host_inner(_stack: Stack) -> Result<c_int, Thrown> {
    Ok(0)
}

/// `package.searchpath(name, path, separator, replacement)`: there are no files, so it always says where none was found.
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
    stack.push_nil();
    stack.push_bytes(b"no file '");
    stack.push_replaced(path, c"?", name);
    stack.push_replaced(argument(-1), c";", c"'\n\tno file '");
    stack.remove(-2);
    stack.push_bytes(b"'");
    stack.concat(3);
    Ok(2)
}
