//! Host objects as userdata: what `lua.ref` lends, and the errors that host functions throw. All that Lua can
//! do with one is to keep it, give it back, show its label, and ask the host for the members that the host
//! allows.

use super::{exchange, host_refs};
use crate::lua::{Stack, Thrown, lua_function, raw};
use crate::state::host_functions::Service;
use std::ffi::{c_int, c_void};
use std::ptr;

/// The registry's metatable of host objects.
static OBJECT: u8 = 0;

/// Contents of a host object's userdata.
#[repr(C)]
struct Object {
    id: u32,
    /// True if it has been raised as an error before.
    raised: bool,
    /// True if its label has a traceback.
    traced: bool,
}

fn key_of(place: &'static u8) -> *const c_void {
    ptr::from_ref(place).cast()
}

lua_function!(index = index_inner);
lua_function!(new_index = new_index_inner);
lua_function!(to_string = to_string_inner);
lua_function!(concat = concat_inner);

/// Makes the metatable. `[-0, +0, m]`
pub(super) fn open(stack: Stack) {
    stack.push_table(0, 6);
    stack.set_functions(
        -1,
        &[(c"__index", index), (c"__newindex", new_index), (c"__tostring", to_string), (c"__concat", concat)],
    );
    stack.push_bytes(b"host object");
    stack.set_field(-2, c"__name");
    stack.push_boolean(false);
    stack.set_field(-2, c"__metatable");
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(&OBJECT));
}

/// Pushes the object of this id: the one that Lua has, or a new one. `[-0, +1, m]`
pub(crate) fn push_object(stack: Stack, id: u32, label: &[u8]) {
    if host_refs::push(stack, id, raw::LUA_TUSERDATA) {
        return host_refs::count(stack, id);
    }
    let place = stack.push_userdata_with_value(size_of::<Object>()).cast::<Object>();
    // SAFETY: the block is new, and of the size and alignment of an `Object`.
    unsafe { place.write(Object { id, raised: false, traced: false }) };
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&OBJECT));
    stack.set_metatable(-2);
    stack.push_bytes(label);
    stack.set_user_value(-2);
    host_refs::keep(stack, id);
}

/// The contents of a host object; None for any other value. The reference must end before the next one is
/// made. `[-0, +0, -]`
fn contents<'a>(stack: Stack, index: c_int) -> Option<&'a mut Object> {
    if stack.type_of(index) != raw::LUA_TUSERDATA || !stack.push_metatable(index) {
        return None;
    }
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&OBJECT));
    let ours = stack.raw_equal(-1, -2);
    stack.pop(2);
    // SAFETY: only `push_object` gives a userdata this metatable, and it holds an `Object`. The callers here
    // use the reference at once, and make no other meanwhile.
    ours.then(|| unsafe { &mut *stack.userdata(index).cast::<Object>() })
}

/// The id of a host object; None for any other value. `[-0, +0, -]`
pub(crate) fn object_id(stack: Stack, index: c_int) -> Option<u32> {
    contents(stack, index).map(|object| object.id)
}

/// Puts the position of the running Lua function before the label of a host object on top, if one is there,
/// as `error` does. An object that has been raised before keeps the first. `[-0, +0, m]`
pub(super) fn prefix_position(stack: Stack) {
    let object = stack.top();
    let Some(Object { raised, .. }) = contents(stack, object) else { return };
    if std::mem::replace(raised, true) {
        return;
    }
    stack.push_where(1);
    stack.push_user_value(object);
    stack.concat(2);
    stack.set_user_value(object);
}

/// Puts the traceback of the thread `of` below the label of an error of the host, which stays the value that
/// it is: as a text it would have lost its cause. An object that has a traceback keeps it; one that was never
/// raised gets none. Four free slots are needed. `[-0, +0, m]`
pub(crate) fn add_traceback(stack: Stack, object: c_int, of: Stack, level: c_int) {
    let Some(Object { raised, traced, .. }) = contents(stack, object) else { return };
    if !*raised || std::mem::replace(traced, true) {
        return;
    }
    stack.push_user_value(object);
    stack.push_bytes(b"\n");
    stack.push_traceback(of, None, level);
    stack.concat(3);
    stack.set_user_value(object);
}

fn index_inner(stack: Stack) -> Result<c_int, Thrown> {
    exchange::call(stack, Service::Get as u32)
}

fn new_index_inner(stack: Stack) -> Result<c_int, Thrown> {
    exchange::call(stack, Service::Set as u32)
}

fn to_string_inner(stack: Stack) -> Result<c_int, Thrown> {
    push_label(stack, 1);
    Ok(1)
}

/// Joins a host object's label to text, as scripts often do with errors: `"failed: " .. err`.
fn concat_inner(stack: Stack) -> Result<c_int, Thrown> {
    for index in 1..=2 {
        if object_id(stack, index).is_some() {
            push_label(stack, index);
        } else {
            stack.push_copy(index);
        }
    }
    stack.concat(2);
    Ok(1)
}

/// `[-0, +1, m]`
fn push_label(stack: Stack, index: c_int) {
    if object_id(stack, index).is_some() {
        stack.push_user_value(index);
    } else {
        stack.push_bytes(b"host object");
    }
}
