//! Operations on rows, and what stands around them: transactions, previews, undo, schema.

use super::arguments::{OwnedRow, taken};
use super::{Done, Operation, schema};
use crate::database::Database;
use crate::error::{CapsuleError, ErrorKind};
use crate::history::Undo;
use crate::schema::{SchemaAction, Upgrade};
use crate::value::SqlValue;
use perilune::value::decode_list;

/// (sql, params ...) -> rows
pub(super) fn query(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (sql, params) = (operation.args.text()?, operation.args.params()?);
    let rows = operation.call(|call| params.give(|params| call.enter(|db| db.query(&sql, params))))?;
    Ok(operation.reply.rows(&rows)?)
}

/// (sql, params ...) -> rows, one at most
pub(super) fn query_one(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (sql, params) = (operation.args.text()?, operation.args.params()?);
    let rows = operation.call(|call| params.give(|params| call.enter(|db| db.query_one(&sql, params))))?;
    Ok(operation.reply.rows(&rows)?)
}

/// (sql, params ...) -> true and the value, or false
pub(super) fn query_scalar(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (sql, params) = (operation.args.text()?, operation.args.params()?);
    let value =
        operation.call(|call| params.give(|params| call.enter(|db| db.query_scalar(&sql, params))))?;
    operation.reply.boolean(value.is_some())?;
    Ok(operation.reply.value(&value.unwrap_or_default())?)
}

/// (sql, params ...) -> number of rows
pub(super) fn execute(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (sql, params) = (operation.args.text()?, operation.args.params()?);
    let changed = operation.call(|call| params.give(|params| call.enter(|db| db.execute(&sql, params))))?;
    Ok(operation.reply.integer(changed as i64)?)
}

/// (table, row) -> key
pub(super) fn insert(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (table, mut row) = (operation.args.text()?, operation.args.row()?);
    let key = operation.call(|call| call.insert(&table, &taken(&mut row)))?;
    Ok(operation.reply.key(&key)?)
}

/// (table, number of rows, rows ...) -> number of keys, keys ...
pub(super) fn insert_multiple(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (table, count) = (operation.args.text()?, operation.args.count()?);
    let mut rows: Vec<OwnedRow> = (0..count).map(|_| operation.args.row()).collect::<Result<_, _>>()?;
    let rows: Vec<Vec<(&str, SqlValue)>> = rows.iter_mut().map(taken).collect();
    let rows: Vec<&[(&str, SqlValue)]> = rows.iter().map(Vec::as_slice).collect();
    let keys = operation.call(|call| call.insert_multiple(&table, &rows))?;
    operation.reply.count(keys.len())?;
    Ok(keys.iter().try_for_each(|key| operation.reply.key(key))?)
}

/// (table, key, row) -> boolean
pub(super) fn update(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (table, key, mut row) = (operation.args.text()?, operation.args.key()?, operation.args.row()?);
    let updated = operation.call(|call| call.update(&table, &key, &taken(&mut row)))?;
    Ok(operation.reply.boolean(updated)?)
}

/// (table, condition, row, params ...) -> number of rows
pub(super) fn update_where(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (table, condition) = (operation.args.text()?, operation.args.text()?);
    let (mut row, params) = (operation.args.row()?, operation.args.params()?);
    let row = taken(&mut row);
    let updated =
        operation.call(|call| params.give(|params| call.update_where(&table, &condition, params, &row)))?;
    Ok(operation.reply.integer(updated as i64)?)
}

/// (table, key) -> boolean
pub(super) fn delete(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (table, key) = (operation.args.text()?, operation.args.key()?);
    let deleted = operation.call(|call| call.delete(&table, &key))?;
    Ok(operation.reply.boolean(deleted)?)
}

/// (table, condition, params ...) -> number of rows
pub(super) fn delete_where(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (table, condition, params) =
        (operation.args.text()?, operation.args.text()?, operation.args.params()?);
    let deleted =
        operation.call(|call| params.give(|params| call.delete_where(&table, &condition, params)))?;
    Ok(operation.reply.integer(deleted as i64)?)
}

/// () -> number of parts that are open
pub(super) fn begin(operation: &mut Operation<'_, '_, '_>) -> Done {
    let depth = operation.call(|call| call.enter(|db| db.begin_part().map(|()| db.depth())))?;
    Ok(operation.reply.count(depth)?)
}

/// (number of parts that are open)
pub(super) fn commit(operation: &mut Operation<'_, '_, '_>) -> Done {
    let depth = operation.args.count()?;
    Ok(operation.call(|call| {
        call.enter(|db| {
            if db.depth() != depth || depth == 0 {
                return Err(CapsuleError::usage("this transaction is not the innermost one that is open"));
            }
            db.commit_part()
        })
    })?)
}

/// (number of parts that stay open) -> true if there were others
pub(super) fn roll_back(operation: &mut Operation<'_, '_, '_>) -> Done {
    let depth = operation.args.count()?;
    let cut = operation.call(|call| call.enter(|db| db.cut(depth)))?;
    Ok(operation.reply.boolean(cut)?)
}

pub(super) fn begin_preview(operation: &mut Operation<'_, '_, '_>) -> Done {
    Ok(operation.call(|call| call.enter(Database::begin_preview))?)
}

/// () -> number of changes, changes ...
pub(super) fn end_preview(operation: &mut Operation<'_, '_, '_>) -> Done {
    let changes = operation.call(|call| call.enter(Database::end_preview))?;
    operation.reply.count(changes.len())?;
    Ok(changes.iter().try_for_each(|change| operation.reply.change(change))?)
}

/// (transaction) -> true, number of rows; or false, number of blockers, table, key, transaction ...
pub(super) fn undo(operation: &mut Operation<'_, '_, '_>) -> Done {
    let transaction = operation.args.integer()?;
    let undone = operation.call(|call| call.enter(|db| db.undo(transaction)))?;
    let reply = &mut operation.reply;
    match undone {
        Undo::Done { rows } => {
            reply.boolean(true)?;
            reply.count(rows)?;
        }
        Undo::Blocked(blockers) => {
            reply.boolean(false)?;
            reply.count(blockers.len())?;
            for blocker in &blockers {
                reply.text(&blocker.table)?;
                reply.key(&blocker.key)?;
                reply.optional_integer(blocker.transaction)?;
            }
        }
    }
    Ok(())
}

fn actions(operation: &mut Operation<'_, '_, '_>, actions: &[SchemaAction]) -> Done {
    operation.reply.count(actions.len())?;
    Ok(actions.iter().try_for_each(|action| operation.reply.text(&action.to_string()))?)
}

/// (schema) -> false, number of actions, actions ...; or true, number of migrations, their versions ...
pub(super) fn begin_upgrade(operation: &mut Operation<'_, '_, '_>) -> Done {
    let values = decode_list(operation.input)?;
    let declared = schema::schema(values.first().unwrap_or(&perilune::Value::Nil))?;
    let begun = operation.call(|call| call.enter(|db| db.begin_upgrade(&declared)))?;
    match begun {
        Upgrade::Done(done) => {
            operation.call(|call| call.shared.declared(&declared))?;
            operation.reply.boolean(false)?;
            actions(operation, &done)
        }
        Upgrade::Begun(versions) => {
            operation.host.schema.replace(Some(declared));
            operation.reply.boolean(true)?;
            operation.reply.count(versions.len())?;
            Ok(versions.iter().try_for_each(|version| operation.reply.integer(*version))?)
        }
    }
}

/// (version): its migration has run
pub(super) fn note_migration(operation: &mut Operation<'_, '_, '_>) -> Done {
    let version = operation.args.integer()?;
    Ok(operation.call(|call| call.enter(|db| db.note_migration(version).map(drop)))?)
}

/// () -> number of actions, actions ...
pub(super) fn end_upgrade(operation: &mut Operation<'_, '_, '_>) -> Done {
    let Some(declared) = operation.host.schema.take() else {
        return Err(CapsuleError::new(ErrorKind::Usage, "no migration is under way").into());
    };
    let done = operation.call(|call| {
        let done = call.enter(|db| db.end_upgrade(&declared))?;
        call.shared.declared(&declared)?;
        Ok(done)
    })?;
    actions(operation, &done)
}

pub(super) fn cancel_upgrade(operation: &mut Operation<'_, '_, '_>) -> Done {
    operation.host.schema.take();
    Ok(operation.call(|call| call.enter(Database::cancel_upgrade))?)
}
