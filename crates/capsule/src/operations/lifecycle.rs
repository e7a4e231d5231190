//! Operations on the database as a whole: opening and closing, messages, time, upkeep.

use super::{Done, Operation};
use crate::conn::{Durability, Location};
use crate::database::Database;
use crate::error::CapsuleError;
use crate::script::Shared;
use std::rc::Rc;

/// (name, strict, batch interval in ms, batch size, events, bytes of Lua or nil, true for files on a disk) ->
/// name of the device
pub(super) fn open(operation: &mut Operation<'_, '_, '_>) -> Done {
    let args = &mut operation.args;
    let (name, strict, interval, size) = (args.text()?, args.boolean()?, args.integer()?, args.count()?);
    let (events, lua_bytes, is_on_disk) = (args.boolean()?, args.optional_integer()?, args.boolean()?);
    if operation.host.shared.borrow().is_some() {
        return Err(CapsuleError::usage("the capsule is open already").into());
    }
    let durability = if strict { Durability::Strict } else { Durability::Relaxed };
    let location = Location::from_name(&name);
    let imported = operation.host.imported.take().filter(|_| location == Location::Memory);
    let db = match imported {
        Some(db) => db,
        None => Database::open(&location, durability, (operation.host.environment)())?,
    };
    if is_on_disk {
        db.expect_disk()?;
    }
    if let Some(bytes) = lua_bytes {
        operation.vm.limit_memory(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
    let shared = Shared::open(db, operation.vm).map_err(crate::script::from_script)?;
    shared.attach()?;
    shared.db.set_events(events);
    shared.batches.set(interval, size);
    let outbox = Rc::clone(&operation.host.outbox);
    shared.on_error(move |error| outbox.error(error));
    let outbox = Rc::clone(&operation.host.outbox);
    shared.on_commit(move |committed| outbox.committed(committed));
    shared.sweep_if_due();
    operation.reply.text(shared.db.device())?;
    operation.host.shared.replace(Some(shared));
    Ok(())
}

/// Closes the database. What waits to be told is forgotten.
pub(super) fn close(operation: &mut Operation<'_, '_, '_>) -> Done {
    let host = operation.host;
    let Some(shared) = host.shared.take() else { return Ok(()) };
    host.channels.borrow_mut().clear();
    host.schema.take();
    host.outbox.clear();
    match Rc::try_unwrap(shared) {
        Ok(shared) => Ok(shared.close(operation.vm)?),
        Err(shared) => {
            host.shared.replace(Some(shared));
            Err(CapsuleError::usage("the capsule cannot be closed by what it runs").into())
        }
    }
}

/// (name, bytes): makes the database of this name one with the contents of another. It must not be open. One
/// in memory is the next that is opened there.
pub(super) fn import(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (name, bytes) = (operation.args.text()?, operation.args.bytes()?);
    if operation.host.shared.borrow().is_some() {
        return Err(CapsuleError::usage("a database that is open cannot be replaced").into());
    }
    let mut environment = (operation.host.environment)();
    let location = Location::from_name(&name);
    if location == Location::Memory {
        operation.host.imported.replace(Some(Database::open_bytes(bytes, environment)?));
        return Ok(());
    }
    Ok(Database::import(&location, bytes, &mut *environment)?)
}

/// () -> the database as bytes
pub(super) fn export(operation: &mut Operation<'_, '_, '_>) -> Done {
    let bytes = operation.call(|call| call.enter(Database::export))?;
    Ok(operation.reply.bytes(&bytes)?)
}

/// () -> journal mode, synchronous
pub(super) fn settings(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (journal, synchronous) = operation.call(|call| call.enter(Database::settings))?;
    operation.reply.text(&journal)?;
    Ok(operation.reply.integer(synchronous)?)
}

/// () -> number of pairs, name, number ...
pub(super) fn stats(operation: &mut Operation<'_, '_, '_>) -> Done {
    let stats = operation
        .call(|call| call.enter(Database::stats).map(|stats| [stats, call.shared.stats()].concat()))?;
    operation.reply.count(stats.len())?;
    for (name, number) in stats {
        operation.reply.text(name)?;
        operation.reply.integer(number)?;
    }
    Ok(())
}

/// () -> number of changes that the log has forgotten
pub(super) fn sweep(operation: &mut Operation<'_, '_, '_>) -> Done {
    let swept = operation.call(|call| call.with(|shared, _| shared.sweep()))?;
    Ok(operation.reply.integer(swept as i64)?)
}

/// () -> the message that waits longest, which is forgotten; nil if there is none
pub(super) fn take_message(operation: &mut Operation<'_, '_, '_>) -> Done {
    Ok(operation.host.outbox.take(&mut operation.reply)?)
}

/// (name): what is dispatched under it is a message
pub(super) fn listen(operation: &mut Operation<'_, '_, '_>) -> Done {
    let name = operation.args.text()?;
    let shared = operation.host.shared()?;
    let mut channels = operation.host.channels.borrow_mut();
    let outbox = Rc::clone(&operation.host.outbox);
    let heard = name.clone();
    let listen = || shared.messages.listen(&name, move |payload| outbox.dispatched(&heard, payload));
    channels.entry(name.clone()).or_insert_with(listen);
    Ok(())
}

/// (name): what is dispatched under it is no message any more
pub(super) fn unlisten(operation: &mut Operation<'_, '_, '_>) -> Done {
    let name = operation.args.text()?;
    let shared = operation.host.shared()?;
    if let Some(listener) = operation.host.channels.borrow_mut().remove(&name) {
        shared.messages.unlisten(listener);
    }
    Ok(())
}

/// () -> milliseconds since 1970 at which something is due, or nil
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not one for every lifetime")]
pub(super) fn next_due(operation: &mut Operation<'_, '_, '_>) -> Done {
    let due = operation.call(|call| call.next_due())?;
    Ok(operation.reply.optional_integer(due)?)
}

/// Runs what is due.
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not one for every lifetime")]
pub(super) fn run_due(operation: &mut Operation<'_, '_, '_>) -> Done {
    Ok(operation.call(|call| call.run_due())?)
}

/// Delivers all events that wait.
pub(super) fn flush(operation: &mut Operation<'_, '_, '_>) -> Done {
    operation.call(|call| {
        call.shared.flush(call.vm);
        Ok(())
    })?;
    Ok(())
}
