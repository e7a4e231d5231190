//! Host functions as Lua functions: C closures that know an id and a name.

use super::{exchange, host_refs, object};
use crate::lua::{Stack, Thrown, lua_function, raw};
use crate::state::host_functions::Service;
use std::ffi::{c_int, c_void};
use std::ptr;

/// The registry's place for the table `host`.
static HOST: u8 = 0;

fn key_of(place: &'static u8) -> *const c_void {
    ptr::from_ref(place).cast()
}

/// First upvalue: the id. The second is the name.
const ID: c_int = raw::lua_upvalueindex(1);

lua_function!(call_host = call_host_inner);

fn call_host_inner(stack: Stack) -> Result<c_int, Thrown> {
    exchange::call(stack, stack.integer(ID).unwrap_or_default() as u32)
}

/// Sets the global `host`, empty, and what this room keeps in the registry. `[-0, +0, m]`
pub(crate) fn open(stack: Stack) {
    exchange::open(stack);
    host_refs::open(stack);
    object::open(stack);
    stack.push_table(0, 0);
    stack.push_copy(-1);
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(&HOST));
    stack.push_globals();
    stack.insert(-2);
    stack.set_field(-2, c"host");
    stack.pop(1);
}

/// Pushes the function of this id: the one that Lua has, or a new one. `[-0, +1, m]`
pub(crate) fn push_function(stack: Stack, id: u32, name: &[u8]) {
    if host_refs::push(stack, id, raw::LUA_TFUNCTION) {
        return host_refs::count(stack, id);
    }
    push_new(stack, id, name);
    host_refs::keep(stack, id);
}

fn push_new(stack: Stack, id: u32, name: &[u8]) {
    stack.push_integer(i64::from(id));
    stack.push_bytes(name);
    stack.push_function(call_host, 2);
}

/// Pushes the function that asks for a service. `[-0, +1, m]`
pub(crate) fn push_service(stack: Stack, service: Service) {
    push_new(stack, service as u32, b"");
}

/// Makes the function of this id known under a dotted name, in `host` and as a global; tables on the way are
/// made. `[-0, +0, m]`
pub(crate) fn push_registered(stack: Stack, id: u32, name: &[u8]) -> Result<(), Thrown> {
    // Registered again, or given as a value, it is the same function.
    if !host_refs::push(stack, id, raw::LUA_TFUNCTION) {
        push_new(stack, id, name);
        host_refs::keep_uncounted(stack, id);
    }
    let function = stack.top();
    stack.push_globals();
    set_dotted(stack, function, name)?;
    push_registered_table(stack);
    set_dotted(stack, function, name)?;
    stack.set_top(function - 1);
    Ok(())
}

/// Pushes the table `host`, of the functions that are registered. `[-0, +1, -]`
pub(crate) fn push_registered_table(stack: Stack) {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&HOST));
}

/// Sets the field that a dotted name leads to from the table on top. `[-1, +0, m]`
fn set_dotted(stack: Stack, function: c_int, name: &[u8]) -> Result<(), Thrown> {
    let mut from = 0;
    while let Some(dot) = name[from..].iter().position(|&byte| byte == b'.') {
        stack.push_bytes(&name[from..from + dot]);
        from += dot + 1;
        stack.push_copy(-1);
        match stack.raw_get(-3) {
            raw::LUA_TTABLE => stack.remove(-2),
            raw::LUA_TNIL => {
                stack.pop(1);
                stack.push_table(0, 1);
                stack.insert(-2);
                stack.push_copy(-2);
                stack.raw_set(-4);
            }
            _ => {
                let pieces = [&b"cannot register '"[..], name, b"': '", &name[..from - 1], b"' is no table"];
                return Err(stack.throw_joined(pieces));
            }
        }
        stack.remove(-2);
    }
    stack.push_bytes(&name[from..]);
    stack.push_copy(function);
    stack.raw_set(-3);
    stack.pop(1);
    Ok(())
}

/// The id of a host function; None for any other value. `[-0, +0, -]`
pub(crate) fn function_id(stack: Stack, index: c_int) -> Option<u32> {
    let function = stack.c_function(index)?;
    if !ptr::fn_addr_eq(function, call_host as raw::lua_CFunction) || !stack.push_upvalue(index, 1) {
        return None;
    }
    let id = stack.integer(-1).unwrap_or_default() as u32;
    stack.pop(1);
    Some(id)
}
