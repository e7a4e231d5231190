//! Host functions as Lua functions: C closures that know an id and a name.

use super::{Service, exchange, object};
use crate::context::context;
use crate::lua::{Stack, Thrown, lua_function, raw};
use std::ffi::{c_int, c_void};
use std::ptr;

/// The registry's table from id to what Lua has of it, with weak values.
static HELD: u8 = 0;
/// The registry's place for the table `host`.
static HOST: u8 = 0;

fn key_of(place: &'static u8) -> *const c_void {
    ptr::from_ref(place).cast()
}

/// First upvalue: the id, as an integer where the host keeps the function for good, else as a `Use`.
const ID: c_int = raw::lua_upvalueindex(1);

/// How often the host gave one id to Lua, for a value that Lua holds.
#[repr(C)]
pub(super) struct Use {
    pub(super) id: u32,
    pub(super) uses: u32,
}

lua_function!(call_host = call_host_inner);

fn call_host_inner(stack: Stack) -> Result<c_int, Thrown> {
    let id = if stack.is_integer(ID) {
        stack.integer(ID).unwrap_or_default() as u32
    } else {
        // SAFETY: the upvalue of `call_host` is an integer or a `Use` (see `push_function`), which it anchors.
        unsafe { (*stack.userdata(ID).cast::<Use>()).id }
    };
    exchange::call(stack, id)
}

/// Sets the global `host`, empty, and what this room keeps in the registry. `[-0, +0, m]`
pub(crate) fn open(stack: Stack) {
    exchange::open(stack);
    stack.push_table(0, 0);
    stack.push_table(0, 1);
    stack.push_bytes(b"v");
    stack.set_field(-2, c"__mode");
    stack.set_metatable(-2);
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(&HELD));
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
    if push_held(stack, id, raw::LUA_TFUNCTION) {
        // One that was registered has no count.
        if stack.push_upvalue(-1, 1) {
            if stack.type_of(-1) == raw::LUA_TUSERDATA {
                count(stack);
            }
            stack.pop(1);
        }
        return;
    }
    object::push_anchor(stack, id);
    stack.push_bytes(name);
    stack.push_function(call_host, 2);
    hold(stack, id);
}

/// Pushes a function that the host keeps for good. `[-0, +1, m]`
fn push_permanent(stack: Stack, id: u32, name: &[u8]) {
    stack.push_integer(i64::from(id));
    stack.push_bytes(name);
    stack.push_function(call_host, 2);
}

/// Pushes the function that asks for a service. `[-0, +1, m]`
pub(crate) fn push_service(stack: Stack, service: Service) {
    push_permanent(stack, service as u32, b"");
}

/// Makes the function of this id known under a dotted name, in `host` and as a global; tables on the way are made.
/// `[-0, +0, m]`
pub(crate) fn push_registered(stack: Stack, id: u32, name: &[u8]) -> Result<(), Thrown> {
    // Registered again, or given as a value, it is the same function.
    if !push_held(stack, id, raw::LUA_TFUNCTION) {
        push_permanent(stack, id, name);
        hold(stack, id);
    }
    let function = stack.top();
    stack.push_globals();
    set_dotted(stack, function, name)?;
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&HOST));
    set_dotted(stack, function, name)?;
    stack.set_top(function - 1);
    Ok(())
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
    let id = if stack.is_integer(-1) {
        stack.integer(-1).unwrap_or_default() as u32
    } else {
        // SAFETY: as in `call_host_inner`.
        unsafe { (*stack.userdata(-1).cast::<Use>()).id }
    };
    stack.pop(1);
    Some(id)
}

/// One more use of the `Use` on top. `[-0, +0, -]`
pub(super) fn count(stack: Stack) {
    // SAFETY: the caller says that a `Use` of this room lies on top.
    let held = unsafe { &mut *stack.userdata(-1).cast::<Use>() };
    held.uses = held.uses.saturating_add(1);
}

/// Pushes what Lua has of this id, if it is of that type. `[-0, +(0|1), -]`
pub(super) fn push_held(stack: Stack, id: u32, lua_type: c_int) -> bool {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&HELD));
    let found = stack.raw_get_index(-1, i64::from(id)) == lua_type;
    stack.remove(-2);
    if !found {
        stack.pop(1);
    }
    found
}

/// Remembers the value on top as what Lua has of this id. `[-0, +0, m]`
pub(super) fn hold(stack: Stack, id: u32) {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&HELD));
    stack.push_copy(-2);
    stack.raw_set_index(-2, i64::from(id));
    stack.pop(1);
}

/// The collector has found that Lua has let go of the value at index 1, a `Use`. `[-0, +0, -]`
pub(super) fn release(stack: Stack) {
    // SAFETY: only metatables of this room have this finalizer, so a `Use` is at index 1; scripts cannot get at it.
    let Use { id, uses } = unsafe { ptr::read(stack.userdata(1).cast::<Use>()) };
    context(stack).functions.release(id, uses);
}
