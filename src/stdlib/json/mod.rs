//! The module `json`: JSON (RFC 8259) from and to Lua values, without loss in either direction.
//!
//! Keeps true: nothing in this folder owns memory of Rust's. Whatever outgrows a frame is a block or a string
//! of Lua's, so every step may raise, and large data counts as the script's memory. Neither direction
//! recurses: the state of each level of nesting is on the Lua stack.

use super::options;
use crate::lua::{Stack, Thrown, lua_function, open_table, raw};
use crate::marshal::{ARRAY, MARKER, is_marked, push_mark};
use std::ffi::c_int;
use std::ptr;

mod decode;
mod encode;
mod table;
mod writer;

lua_function!(
    /// Returns the module's table.
    open_json = open_inner
);
lua_function!(decode = decode::decode_inner);
lua_function!(encode = encode::encode_inner);
lua_function!(mark = mark_inner);

/// Value of the metafield that marks a table, empty or not, as an object; that for arrays is `ARRAY`.
const OBJECT: &[u8] = b"object";

/// Default and greatest value of the option `depth`, in levels of nesting.
const DEPTH_DEFAULT: i64 = 128;
const DEPTH_MAX: i64 = 200;

fn open_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.push_table(0, 5);
    let module = stack.top();
    for kind in [ARRAY, OBJECT] {
        push_mark(stack, kind);
    }
    let (array, object) = (module + 1, module + 2);
    // Each function finds both metatables in its upvalues, first the one that it sets.
    for (name, function, first, second) in [
        (c"decode", decode as raw::lua_CFunction, array, object),
        (c"array", mark, array, object),
        (c"object", mark, object, array),
    ] {
        stack.push_copy(first);
        stack.push_copy(second);
        stack.push_function(function, 2);
        stack.set_field(module, name);
    }
    // A second copy of the library `table`, out of reach of scripts, for its `sort`.
    stack.push_function(open_table, 0);
    stack.call(0, 1);
    stack.get_field(-1, c"sort");
    for name in [b"__pairs".as_slice(), MARKER, ARRAY, OBJECT] {
        stack.push_bytes(name);
    }
    stack.push_function(encode, 5);
    stack.set_field(module, c"encode");
    stack.push_address(ptr::null_mut());
    stack.set_field(module, c"null");
    stack.set_top(module);
    Ok(1)
}

/// `json.array(t)` and `json.object(t)`: sets the first of the two metatables on `t`, or on a new table, and
/// returns it.
fn mark_inner(stack: Stack) -> Result<c_int, Thrown> {
    if stack.is_none_or_nil(1) {
        stack.set_top(0);
        stack.push_table(0, 0);
    }
    stack.check_type(1, raw::LUA_TTABLE);
    if stack.push_metatable(1) {
        let found = stack.address(-1);
        let ours = [1, 2].map(|upvalue| stack.address(raw::lua_upvalueindex(upvalue)));
        // Empty lists of the host have marks of their own.
        if !ours.contains(&found) && !is_marked(stack, 1) {
            stack.argument_error(1, c"table has a metatable already");
        }
    }
    stack.set_top(1);
    stack.push_copy(raw::lua_upvalueindex(1));
    stack.set_metatable(1);
    Ok(1)
}

/// Reads the option `depth`. `[-0, +0, e]`
fn depth_option(stack: Stack, argument: c_int) -> i64 {
    let mut depth = DEPTH_DEFAULT;
    if options::push(stack, argument, b"depth") != raw::LUA_TNIL {
        let message = c"option 'depth' must be an integer from 1 to 200";
        depth = options::integer(stack, argument, 1..=DEPTH_MAX, message);
    }
    stack.pop(1);
    depth
}
