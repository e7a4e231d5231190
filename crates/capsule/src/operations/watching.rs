//! Operations on watchers and live queries.

use super::{Done, Operation};
use crate::script::{ListenerKind, Listening};
use crate::watch::LiveUpdate;
use std::rc::Rc;

/// (id or nil, table or query, filter or nil) -> id
pub(super) fn watch(operation: &mut Operation<'_, '_, '_>) -> Done {
    let args = &mut operation.args;
    let (id, target, filter) = (args.optional_text()?, args.text()?, args.optional_text()?);
    let id = operation
        .call(|call| call.with(|shared, _| shared.watch(id.as_deref(), &target, filter.as_deref(), None)))?;
    Ok(operation.reply.text(&id)?)
}

/// (id) -> true if there was one
pub(super) fn unwatch(operation: &mut Operation<'_, '_, '_>) -> Done {
    let id = operation.args.text()?;
    let known = operation.call(|call| Ok(call.shared.unwatch_from_outside(call.vm, &id)))?;
    Ok(operation.reply.boolean(known)?)
}

/// (watcher, listener, its type, filter or nil) -> id
pub(super) fn subscribe(operation: &mut Operation<'_, '_, '_>) -> Done {
    let args = &mut operation.args;
    let (watcher, listener, kind, filter) = (args.text()?, args.text()?, args.text()?, args.optional_text()?);
    let listening = Listening { listener: Some(listener), kind: ListenerKind::by_name(&kind)?, filter };
    let heard = Rc::clone(&operation.host.listener);
    let id = operation.call(|call| call.shared.subscribe(&watcher, listening, heard))?;
    Ok(operation.reply.text(&id)?)
}

/// (id) -> true if there was one
pub(super) fn unsubscribe(operation: &mut Operation<'_, '_, '_>) -> Done {
    let id = operation.args.text()?;
    let known = operation.call(|call| Ok(call.shared.unsubscribe(&id)))?;
    Ok(operation.reply.boolean(known)?)
}

/// (sql, params ...) -> number, rows
pub(super) fn live(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (sql, params) = (operation.args.text()?, operation.args.params()?.into_list()?);
    let outbox = Rc::clone(&operation.host.outbox);
    let (number, rows) = operation.call(|call| {
        let tell = move |number, update: LiveUpdate<'_>| outbox.live(number, update);
        call.with(|shared, _| shared.live.add(&shared.db, &sql, params, tell))
    })?;
    operation.reply.integer(number as i64)?;
    Ok(operation.reply.rows(&rows)?)
}

/// (number) -> true if there was one
pub(super) fn end_live(operation: &mut Operation<'_, '_, '_>) -> Done {
    let number = operation.args.count()?;
    let known = operation.call(|call| Ok(call.shared.live.remove(number as u64)))?;
    Ok(operation.reply.boolean(known)?)
}
