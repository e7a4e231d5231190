//! Operations on watchers and live queries.

use super::{Done, Operation};
use crate::error::{CapsuleError, Result};
use crate::script::{Failure, ListenerKind, Listening};
use crate::watch::{LiveOptions, LiveStart, LiveUpdate, Missed};
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

fn begin_live(
    operation: &mut Operation<'_, '_, '_>,
    sql: &str,
    options: LiveOptions,
) -> std::result::Result<LiveStart, Failure> {
    let params = operation.args.params()?.into_list()?;
    let outbox = Rc::clone(&operation.host.outbox);
    Ok(operation.call(|call| {
        let tell = move |number, update: LiveUpdate<'_>| outbox.live(number, update);
        call.with(|shared, _| shared.live.add(&shared.db, sql, params, options, tell))
    })?)
}

/// (sql, params ...) -> number, rows
pub(super) fn live(operation: &mut Operation<'_, '_, '_>) -> Done {
    let sql = operation.args.text()?;
    let begun = begin_live(operation, &sql, LiveOptions::default())?;
    operation.reply.integer(begun.live as i64)?;
    Ok(operation.reply.rows(&begun.rows)?)
}

/// (sql, limit or nil, offset or nil, seq or nil, texts, params ...) -> number, seq, unchanged, rows
pub(super) fn live_with(operation: &mut Operation<'_, '_, '_>) -> Done {
    let args = &mut operation.args;
    let sql = args.text()?;
    let window = window(args.optional_integer()?, args.optional_integer()?)?;
    let since = args.optional_integer()?;
    let count = args.count()?;
    let key: Vec<String> = (0..count).map(|_| args.text()).collect::<Result<_>>()?;
    let options = LiveOptions { window, key: Some(key).filter(|key| !key.is_empty()), since };
    let begun = begin_live(operation, &sql, options)?;
    operation.reply.integer(begun.live as i64)?;
    operation.reply.integer(begun.seq)?;
    operation.reply.boolean(begun.is_unchanged)?;
    Ok(operation.reply.rows(&begun.rows)?)
}

/// The window of a limit and an offset; `None` without a limit.
fn window(limit: Option<i64>, offset: Option<i64>) -> Result<Option<(u64, u64)>> {
    let count = |value: i64| {
        u64::try_from(value).map_err(|_| CapsuleError::usage("limit and offset are whole numbers from 0 on"))
    };
    limit.map(|limit| Ok((count(limit)?, count(offset.unwrap_or(0))?))).transpose()
}

/// (number, limit, offset) -> names of the columns (texts), number of patches, patches ...
pub(super) fn move_live(operation: &mut Operation<'_, '_, '_>) -> Done {
    let args = &mut operation.args;
    let (number, limit, offset) = (args.count()?, args.optional_integer()?, args.optional_integer()?);
    let Some(window) = window(limit, offset)? else {
        return Err(CapsuleError::usage("a window has a limit").into());
    };
    let (columns, patches) = operation.call(|call| {
        call.with(|shared, _| {
            let patches = shared.live.set_window(&shared.db, number as u64, window)?;
            Ok((shared.live.columns(number as u64)?, patches))
        })
    })?;
    operation.reply.columns(&columns)?;
    operation.reply.count(patches.len())?;
    Ok(patches.iter().try_for_each(|patch| operation.reply.patch(patch))?)
}

/// (id of a watcher) -> explanation
pub(super) fn explain(operation: &mut Operation<'_, '_, '_>) -> Done {
    let watcher = operation.args.text()?;
    let explanation = operation.call(|call| call.shared.explain(&watcher))?;
    Ok(operation.reply.explanation(&explanation)?)
}

/// (number of a live query) -> explanation
pub(super) fn explain_live(operation: &mut Operation<'_, '_, '_>) -> Done {
    let number = operation.args.count()?;
    let explanation = operation.call(|call| call.shared.live.explain(number as u64))?;
    Ok(operation.reply.explanation(&explanation)?)
}

/// (id of a watcher, seq) -> true, number of events, events ...; or false: they are not known
pub(super) fn events_since(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (watcher, seq) = (operation.args.text()?, operation.args.integer()?);
    let missed = operation.call(|call| call.shared.missed(&watcher, seq))?;
    operation.reply.boolean(matches!(missed, Missed::Events(_)))?;
    if let Missed::Events(events) = missed {
        operation.reply.count(events.len())?;
        events.iter().try_for_each(|event| operation.reply.event(event))?;
    }
    Ok(())
}

/// (number) -> true if there was one
pub(super) fn end_live(operation: &mut Operation<'_, '_, '_>) -> Done {
    let number = operation.args.count()?;
    let known = operation.call(|call| Ok(call.shared.live.remove(number as u64)))?;
    Ok(operation.reply.boolean(known)?)
}
