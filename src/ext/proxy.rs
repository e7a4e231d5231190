//! The proxy of an external table and its metamethods.

use super::iterate;
use super::store_call::store;
use crate::lua::{Stack, Thrown, fuel, lua_function, raw};
use crate::marshal::{EncodeError, encode_key, encode_value, push_value};
use crate::state::context::context;
use crate::store::TableId;
use std::ffi::{c_int, c_void};
use std::ptr;

/// Registry key of the table from name to proxy.
static PROXIES: u8 = 0;
/// Registry key of the table from proxy to name.
static NAMES: u8 = 0;
/// Registry key of the table from id to proxy. It has dropped tables, too: a roll back may bring them back.
static BY_ID: u8 = 0;

/// Index of the upvalue with the id, in every metamethod.
const ID: c_int = raw::lua_upvalueindex(1);
/// Index of the upvalue in which `__len` keeps the border that it found last.
const BORDER_HINT: c_int = raw::lua_upvalueindex(2);

/// Bytes for which a call of the store is charged beside those of key and value.
const STORE_BYTES: usize = 256;

/// Most stack slots that pushing a table takes. They are checked each time, because the table may be deep
/// inside of a value.
const SLOTS: c_int = 10;

fn key_of(place: &'static u8) -> *const c_void {
    ptr::from_ref(place).cast()
}

lua_function!(index = index_inner);
lua_function!(new_index = new_index_inner);
lua_function!(len = len_inner);
lua_function!(pairs = pairs_inner);

/// Creates the tables in the registry. `[-0, +0, m]`
pub(super) fn make_registry(stack: Stack) {
    stack.push_table(0, 0);
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(&PROXIES));
    // Weak keys: the proxy of a dropped table can be collected when no script holds it.
    stack.push_weak_table(b"k");
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(&NAMES));
    stack.push_weak_table(b"v");
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(&BY_ID));
}

/// Pushes the proxy of the table of that name, opening or creating it. `[-0, +1, m]`
pub(crate) fn push_table(stack: Stack, name: &[u8]) -> Result<(), Thrown> {
    if !stack.has_room(SLOTS) {
        return Err(stack.throw_out_of_memory());
    }
    let id = store(stack, |c| c.store.open(name))?;
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&PROXIES));
    stack.push_bytes(name);
    stack.raw_get(-2);
    // The proxy of a dropped table keeps the old id; the same name has a new table then.
    if id_of(stack, -1) != Some(id) {
        stack.pop(1);
        push_by_id(stack, id, name);
        stack.push_bytes(name);
        stack.push_copy(-2);
        stack.raw_set(-4);
    }
    stack.remove(-2);
    Ok(())
}

/// Pushes the proxy of this id: the one that still exists, or a new one. `[-0, +1, m]`
fn push_by_id(stack: Stack, id: TableId, name: &[u8]) {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&BY_ID));
    if stack.raw_get_index(-1, i64::from(id.0)) != raw::LUA_TTABLE {
        stack.pop(1);
        push_proxy(stack, id);
        // First the name, which makes the table a proxy. If memory runs out in one of these steps, no script
        // has the table.
        stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&NAMES));
        stack.push_copy(-2);
        stack.push_bytes(name);
        stack.raw_set(-3);
        stack.pop(1);
        stack.push_copy(-1);
        stack.raw_set_index(-3, i64::from(id.0));
    }
    stack.remove(-2);
}

/// Removes the name at `index`, whose table was dropped, from the registry. The proxy lives as long as a
/// script holds it. `[-0, +0, -]`
pub(super) fn forget_name(stack: Stack, index: c_int) {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&PROXIES));
    stack.push_copy(index);
    stack.push_nil();
    stack.raw_set(-3);
    stack.pop(1);
}

/// Pushes the name of an external table and returns true. Returns false for any other value.
/// `[-0, +(0|1), -]`
pub(crate) fn push_name_of(stack: Stack, index: c_int) -> bool {
    if !stack.push_metatable(index) {
        return false;
    }
    stack.pop(1);
    let index = stack.absolute(index);
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&NAMES));
    stack.push_copy(index);
    stack.raw_get(-2);
    stack.remove(-2);
    if stack.type_of(-1) == raw::LUA_TSTRING {
        return true;
    }
    stack.pop(1);
    false
}

/// The id of the table that the value at `index` is a proxy of, or `None`. `[-0, +0, -]`
pub(super) fn id_of(stack: Stack, index: c_int) -> Option<TableId> {
    if !push_name_of(stack, index) {
        return None;
    }
    stack.pop(1);
    if !stack.push_metatable(index) {
        return None;
    }
    stack.push_bytes(b"__index");
    stack.raw_get(-2);
    // The metamethod on top has the id as its first upvalue.
    let found = stack.push_upvalue(-1, 1);
    let id = if found { stack.integer(-1) } else { None };
    stack.pop(if found { 3 } else { 2 });
    id.map(|id| TableId(id as u32))
}

fn push_proxy(stack: Stack, id: TableId) {
    stack.push_table(0, 0);
    stack.push_table(0, 6);
    for (name, function, upvalues) in [
        (c"__index", index as raw::lua_CFunction, 1),
        (c"__newindex", new_index, 1),
        (c"__len", len, 2),
        (c"__pairs", pairs, 1),
    ] {
        stack.push_integer(i64::from(id.0));
        if upvalues == 2 {
            stack.push_integer(0);
        }
        stack.push_function(function, upvalues);
        stack.set_field(-2, name);
    }
    stack.push_bytes(b"ext.table");
    stack.set_field(-2, c"__name");
    stack.push_boolean(false);
    stack.set_field(-2, c"__metatable");
    stack.set_metatable(-2);
}

/// Uses ticks for the encoded key and value. `[-0, +0, -]`
fn charge_buffers(stack: Stack) {
    let c = context(stack);
    // Twice: they are made, and the store copies them. A call of it takes as long as some loop steps.
    fuel::charge(STORE_BYTES + 2 * (c.key.len() + c.value.len()));
}

fn id(stack: Stack) -> TableId {
    TableId(stack.integer(ID).unwrap_or_default() as u32)
}

fn index_inner(stack: Stack) -> Result<c_int, Thrown> {
    let id = id(stack);
    context(stack).key.clear();
    match encode_key(stack, 2, &mut context(stack).key) {
        Ok(()) => {}
        Err(EncodeError::Memory) => return Err(stack.throw_out_of_memory()),
        // As in Lua, reading a key that no table can have gives nil.
        Err(_) => {
            stack.push_nil();
            return Ok(1);
        }
    }
    context(stack).value.clear();
    let found = store(stack, |c| c.store.get(id, &c.key, &mut c.value))?;
    charge_buffers(stack);
    if found {
        let value = &raw const context(stack).value;
        // SAFETY: the buffer lives in the context, and decoding a stored value uses no other metamethod.
        push_value(stack, unsafe { &*value })?;
    } else {
        stack.push_nil();
    }
    context(stack).trim();
    Ok(1)
}

fn new_index_inner(stack: Stack) -> Result<c_int, Thrown> {
    let id = id(stack);
    context(stack).key.clear();
    encode_key(stack, 2, &mut context(stack).key).map_err(|error| refuse_key(stack, error))?;
    if stack.type_of(3) == raw::LUA_TNIL {
        context(stack).value.clear();
        charge_buffers(stack);
        store(stack, |c| c.store.remove(id, &c.key))?;
    } else {
        context(stack).value.clear();
        let encoded = encode_value(stack, 3, &mut context(stack).value);
        charge_buffers(stack);
        encoded.map_err(|error| refuse_value(stack, error))?;
        store(stack, |c| c.store.set(id, &c.key, &c.value))?;
    }
    let context = context(stack);
    context.writes += 1;
    context.trim();
    Ok(0)
}

/// Implements `#`: returns a border, some n with t[n] ~= nil and t[n + 1] == nil (manual, section 3.4.7).
fn len_inner(stack: Stack) -> Result<c_int, Thrown> {
    let id = id(stack);
    let hint = stack.integer(BORDER_HINT).unwrap_or_default();
    let border = border(stack, id, hint)?;
    if border != hint {
        stack.push_integer(border);
        stack.replace(BORDER_HINT);
    }
    stack.push_integer(border);
    Ok(1)
}

/// Finds a border, starting from `hint`, the border found last: upwards by doubling, or downwards by halving.
/// A sequence that grows at its end costs three look-ups.
fn border(stack: Stack, id: TableId, hint: i64) -> Result<i64, Thrown> {
    // Invariant: `low` is 0 or present, `high` is absent.
    let (mut low, mut high);
    if hint == 0 || contains(stack, id, hint)? {
        low = hint;
        let mut step = 1;
        loop {
            high = low.saturating_add(step);
            if !contains(stack, id, high)? {
                break;
            }
            // No integer follows, so this is a border as well (manual, section 3.4.7).
            if high == i64::MAX {
                return Ok(high);
            }
            low = high;
            step = step.saturating_mul(2);
        }
    } else {
        (low, high) = (0, hint);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if contains(stack, id, middle)? { low = middle } else { high = middle }
    }
    Ok(low)
}

fn contains(stack: Stack, id: TableId, index: i64) -> Result<bool, Thrown> {
    let mut key = [2; 9];
    key[1..].copy_from_slice(&index.to_le_bytes());
    fuel::charge(64);
    store(stack, |c| c.store.contains(id, &key))
}

fn pairs_inner(stack: Stack) -> Result<c_int, Thrown> {
    iterate::push_iterator(stack, id(stack));
    stack.push_copy(1);
    stack.push_nil();
    Ok(3)
}

/// Makes the error for a key that cannot be stored, in Lua's own words where Lua has the same error.
/// `[-0, +1, m]`
fn refuse_key(stack: Stack, error: EncodeError) -> Thrown {
    match error {
        EncodeError::Type(name) => {
            stack.push_bytes(b"an external table cannot have a ");
            stack.push_bytes(name.as_bytes());
            stack.push_bytes(b" as key");
            stack.concat(3);
            // SAFETY: the string stays on the stack while it is copied.
            let message = unsafe { stack.bytes(-1) }.unwrap_or_default();
            stack.throw(message)
        }
        EncodeError::Memory => stack.throw_out_of_memory(),
        other => stack.throw(other.words().as_bytes()),
    }
}

pub(super) fn refuse_value(stack: Stack, error: EncodeError) -> Thrown {
    if error == EncodeError::Memory {
        return stack.throw_out_of_memory();
    }
    let message = &raw const *error.message(&mut context(stack).refused);
    // SAFETY: the text lives in the context, and is copied before anything else can run.
    stack.throw(unsafe { &*message })
}
