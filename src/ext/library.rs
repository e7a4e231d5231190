//! The functions of the global `ext`.

use super::proxy::{forget_name, id_of, make_registry, push_table};
use super::store_call::{commit, refuse, roll_back, store};
use crate::limits::NAME_BYTES_MAX;
use crate::lua::{Stack, Status, Thrown, fuel, lua_function, raw};
use crate::state::context::context;
use crate::store::{TableId, Transaction};
use crate::value::{Decoder, Token};
use std::ffi::c_int;

lua_function!(table = table_inner);
lua_function!(tables = tables_inner);
lua_function!(drop_table = drop_inner);
lua_function!(clear = clear_inner);
lua_function!(count = count_inner);
lua_function!(transaction = transaction_inner);

/// Sets the global `ext`. `[-0, +0, m]`
pub(crate) fn open(stack: Stack) {
    make_registry(stack);
    stack.push_globals();
    stack.push_table(0, 6);
    stack.set_functions(
        -1,
        &[
            (c"table", table),
            (c"tables", tables),
            (c"drop", drop_table),
            (c"clear", clear),
            (c"count", count),
            (c"transaction", transaction),
        ],
    );
    stack.set_field(-2, c"ext");
    stack.pop(1);
}

/// `ext.table(name)`: returns the table of that name, created if it is missing.
fn table_inner(stack: Stack) -> Result<c_int, Thrown> {
    push_table(stack, name(stack))?;
    Ok(1)
}

/// `ext.tables()`: returns the list of names, in order of creation.
fn tables_inner(stack: Stack) -> Result<c_int, Thrown> {
    context(stack).value.clear();
    store(stack, |c| c.store.names(&mut c.value))?;
    // A short name takes as long as some loop steps.
    fuel::charge(32 * context(stack).value.len());
    let names = &raw const context(stack).value;
    let status = stack.protect_without_collector(1, |inner| {
        // SAFETY: the buffer lives in the context, and nothing writes to it while the collector is paused.
        let mut decoder = Decoder::new(unsafe { &*names });
        let count = decoder.count().unwrap_or(0);
        inner.push_table(count as usize, 0);
        for index in 1..=i64::from(count) {
            let Ok(Token::String(name)) = decoder.token() else { break };
            inner.push_bytes(name);
            inner.raw_set_index(-2, index);
        }
        Ok(())
    });
    context(stack).trim();
    if status == Status::Ok { Ok(1) } else { Err(Thrown) }
}

/// `ext.drop(name)`: removes a table, and returns true if there was one.
fn drop_inner(stack: Stack) -> Result<c_int, Thrown> {
    let name = name(stack);
    let dropped = store(stack, |c| c.store.drop_table(name))?;
    // The store takes as long as the table was large; each of its entries has been charged when it was set.
    context(stack).after_host();
    context(stack).writes += 1;
    forget_name(stack, 1);
    stack.push_boolean(dropped);
    Ok(1)
}

/// `ext.clear(t)`: removes all entries.
fn clear_inner(stack: Stack) -> Result<c_int, Thrown> {
    let id = table_argument(stack);
    let count = store(stack, |c| c.store.count(id))?;
    fuel::charge_steps((count as usize).saturating_mul(4));
    store(stack, |c| c.store.clear(id))?;
    context(stack).writes += 1;
    Ok(0)
}

/// `ext.count(t)`: returns the number of entries, whatever their keys.
fn count_inner(stack: Stack) -> Result<c_int, Thrown> {
    let id = table_argument(stack);
    let count = store(stack, |c| c.store.count(id))?;
    stack.push_integer(count as i64);
    Ok(1)
}

/// `ext.transaction(fn, ...)`: calls `fn(...)` and returns its results. An error rolls back what it wrote,
/// and is raised again.
fn transaction_inner(stack: Stack) -> Result<c_int, Thrown> {
    if stack.type_of(1) != raw::LUA_TFUNCTION {
        stack.type_error(1, c"function");
    }
    store(stack, |c| c.store.transaction(Transaction::Begin))?;
    // No yield can cross this call ("attempt to yield across a C-call boundary"): a transaction never
    // outlives its eval.
    let status = stack.call_under_handler(stack.top() - 1);
    // A limit that `fn` has caught in its last steps still ends the call: `fn` did not complete.
    let limit = context(stack).meter.exceeded();
    if status == Status::Ok && limit.is_none() {
        let Err(error) = commit(context(stack)) else { return Ok(stack.top()) };
        // The results may leave no room for a message.
        stack.set_top(0);
        // If this is refused as well, it is tried again before the next operation. The error to report is the
        // first.
        let _ = roll_back(context(stack));
        return Err(refuse(stack, error));
    }
    if status == Status::Ok {
        stack.set_top(0);
    }
    if let Err(error) = roll_back(context(stack)) {
        return Err(refuse(stack, error));
    }
    if let (Status::Ok, Some(limit)) = (status, limit) {
        stack.push_bytes(limit.word());
    }
    // Message handlers have seen the error where it was raised first.
    stack.raise_past_handlers()
}

fn name<'a>(stack: Stack) -> &'a [u8] {
    // SAFETY: argument 1 stays on the stack for the whole call of the library function.
    match unsafe { stack.bytes(1) } {
        Some([]) => stack.argument_error(1, c"name of a table must not be empty"),
        Some(name) if name.len() > NAME_BYTES_MAX => {
            stack.argument_error(1, c"name of a table must not be longer than 1024 bytes")
        }
        Some(name) if std::str::from_utf8(name).is_err() => {
            stack.argument_error(1, c"name of a table must be valid UTF-8")
        }
        Some(name) => name,
        None => stack.type_error(1, c"string"),
    }
}

fn table_argument(stack: Stack) -> TableId {
    match id_of(stack, 1) {
        Some(id) => id,
        None => stack.type_error(1, c"external table"),
    }
}
