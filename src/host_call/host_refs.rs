//! References of Lua to values of the host, by id: one value for each, found again in a weak table, and how
//! often the host gave it.
//!
//! That Lua has released a value is seen in that table, once in each cycle of the collector. The values
//! themselves have no finalizers: Lua frees objects with one only in the cycle after, and counts them as live
//! until then, so a script that catches an error of the host in a loop would fill its memory with what it has
//! thrown away.

use crate::lua::{Stack, Thrown, lua_function, raw};
use crate::state::context::context;
use crate::state::host_functions::Side;
use std::ffi::{c_int, c_void};
use std::{mem, ptr};

/// The registry's table from id to value, with weak values.
static VALUES: u8 = 0;
/// The registry's metatable of the object whose finalizer marks the end of a cycle.
static CYCLE: u8 = 0;

fn key_of(place: &'static u8) -> *const c_void {
    ptr::from_ref(place).cast()
}

lua_function!(end_of_cycle = end_of_cycle_inner);

/// Makes the tables. `[-0, +0, m]`
pub(super) fn open(stack: Stack) {
    stack.push_weak_table(b"v");
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(&VALUES));
    stack.push_table(0, 1);
    stack.set_functions(-1, &[(c"__gc", end_of_cycle)]);
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(&CYCLE));
}

/// Pushes what Lua has of this id, if it is of that type. `[-0, +(0|1), -]`
pub(super) fn push(stack: Stack, id: u32, lua_type: c_int) -> bool {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&VALUES));
    let found = stack.raw_get_index(-1, i64::from(id)) == lua_type;
    stack.remove(-2);
    if !found {
        stack.pop(1);
    }
    found
}

/// Remembers the value on top as what Lua has of this id, which the host has given once. `[-0, +0, m]`
pub(super) fn keep(stack: Stack, id: u32) {
    keep_uncounted(stack, id);
    let c = context(stack);
    // Without memory for the count the host keeps the value for longer than it must; there is no way to
    // report it.
    if c.host_refs.try_reserve(1).is_ok() {
        *c.host_refs.entry(id as usize).or_insert(0) += 1;
    }
    if !c.watches_cycles {
        watch_cycle(stack);
    }
}

/// Remembers the value on top like `keep`, for a value that the host never releases. `[-0, +0, m]`
pub(super) fn keep_uncounted(stack: Stack, id: u32) {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&VALUES));
    stack.push_copy(-2);
    stack.raw_set_index(-2, i64::from(id));
    stack.pop(1);
}

/// Counts one more use of an id that the host has given again. `[-0, +0, -]`
pub(super) fn count(stack: Stack, id: u32) {
    if let Some(uses) = context(stack).host_refs.get_mut(&(id as usize)) {
        *uses = uses.saturating_add(1);
    }
}

/// Leaves an object to the collector, which it finds at the end of the next cycle. `[-0, +0, m]`
fn watch_cycle(stack: Stack) {
    stack.push_userdata(0);
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&CYCLE));
    stack.set_metatable(-2);
    stack.pop(1);
    context(stack).watches_cycles = true;
}

/// Releases, at the end of a cycle, the ids that are not in the table any more: Lua has collected their
/// values.
fn end_of_cycle_inner(stack: Stack) -> Result<c_int, Thrown> {
    let c = context(stack);
    c.watches_cycles = false;
    // Taken out meanwhile; nothing here runs Lua or calls in.
    let mut refs = mem::take(&mut c.host_refs);
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&VALUES));
    refs.retain(|&id, &mut uses| {
        let alive = stack.raw_get_index(-1, id as i64) != raw::LUA_TNIL;
        stack.pop(1);
        if !alive {
            release_host_value(stack, id as u32, uses);
        }
        alive
    });
    let any = !refs.is_empty();
    refs.shrink_to(2 * refs.len());
    context(stack).host_refs = refs;
    if any {
        watch_cycle(stack);
    }
    Ok(0)
}

/// Gives uses of an id back to its owner. `[-0, +0, -]`
pub(crate) fn release_host_value(stack: Stack, id: u32, uses: u32) {
    context(stack).functions.on(Side::of(id)).release(id, uses);
}
