//! Records in SQL.

use super::EmbeddedSettings;
use super::hub::Commit;
use super::thread::Scope;
use crate::{Append, Position, Record, Topic};
use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;
use std::time::Duration;

/// Most records that are read at once.
const READ_ROWS: i64 = 256;

/// Bytes after which no more records are read at once.
const READ_BYTES: usize = 4 << 20;

/// Most records that one turn of tidying removes from a topic.
const TIDY_ROWS: i64 = 500;

/// The number that the next record of a topic will have.
pub(super) fn end(connection: &Connection, topic: Topic) -> rusqlite::Result<u64> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
    let last: Option<i64> =
        connection.prepare_cached(sql)?.query_row([topic.name()], |row| row.get(0)).optional()?;
    Ok(last.unwrap_or(0) as u64 + 1)
}

/// Appends a record; where records are compacted, the one with its key goes.
pub(super) fn append(scope: &Scope<'_>, record: &Append) -> rusqlite::Result<Position> {
    let (connection, name) = (scope.connection, record.topic.name());
    let key = &*record.key;
    if record.topic.is_compacted() {
        connection.prepare_cached(&format!("DELETE FROM \"{name}\" WHERE key = ?1"))?.execute([key])?;
    }
    let value = record.value.as_deref().map_or(ValueRef::Null, |bytes| match std::str::from_utf8(bytes) {
        Ok(_) => ValueRef::Text(bytes),
        Err(_) => ValueRef::Blob(bytes),
    });
    let sql = format!("INSERT INTO \"{name}\" (key, time, value) VALUES (?1, ?2, ?3)");
    let value = ToSqlOutput::Borrowed(value);
    connection.prepare_cached(&sql)?.execute(params![key, scope.now, value])?;
    Ok(Position { partition: 0, offset: connection.last_insert_rowid() as u64 })
}

fn record(topic: Topic, row: &Row<'_>) -> rusqlite::Result<Record> {
    let offset: i64 = row.get(0)?;
    let key: String = row.get(1)?;
    let time: i64 = row.get(2)?;
    let value = match row.get_ref(3)? {
        ValueRef::Null => None,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(Bytes::copy_from_slice(bytes)),
        ValueRef::Integer(number) => Some(number.to_string().into()),
        ValueRef::Real(number) => Some(number.to_string().into()),
    };
    Ok(Record {
        topic,
        position: Position { partition: 0, offset: offset as u64 },
        key: key.into(),
        value,
        time: Timestamp::from_millisecond(time).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}

/// The next records of a topic, from an offset on.
pub(super) fn read(connection: &Connection, topic: Topic, from: u64) -> rusqlite::Result<Vec<Record>> {
    let name = topic.name();
    let sql = format!(
        "SELECT \"offset\", key, time, value FROM \"{name}\" WHERE \"offset\" >= ?1 ORDER BY \"offset\" LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![from as i64, READ_ROWS])?;
    let (mut records, mut bytes) = (Vec::new(), 0);
    while bytes < READ_BYTES
        && let Some(row) = rows.next()?
    {
        let record = record(topic, row)?;
        bytes += record.value.as_ref().map_or(0, Bytes::len);
        records.push(record);
    }
    Ok(records)
}

/// The record at an offset.
pub(super) fn read_one(connection: &Connection, topic: Topic, at: u64) -> rusqlite::Result<Option<Record>> {
    let name = topic.name();
    let sql = format!("SELECT \"offset\", key, time, value FROM \"{name}\" WHERE \"offset\" = ?1");
    connection.prepare_cached(&sql)?.query_row([at as i64], |row| record(topic, row)).optional()
}

/// Number of records from an offset on.
pub(super) fn count(connection: &Connection, topic: Topic, from: u64) -> rusqlite::Result<u64> {
    let sql = format!("SELECT count(*) FROM \"{}\" WHERE \"offset\" >= ?1", topic.name());
    let count: i64 = connection.prepare_cached(&sql)?.query_row([from as i64], |row| row.get(0))?;
    Ok(count as u64)
}

/// Reads what a group has finished, by the file.
pub(super) fn committed(connection: &Connection, topic: Topic, group: &str) -> rusqlite::Result<Option<u64>> {
    let sql = "SELECT committed FROM consumer WHERE topic = ?1 AND name = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let committed: Option<i64> = statement.query_row([topic.name(), group], |row| row.get(0)).optional()?;
    Ok(committed.map(|offset| offset as u64))
}

/// Makes a group that has finished nothing, unless there is one; the answer is what it has finished.
pub(super) fn join(scope: &Scope<'_>, topic: Topic, group: &str) -> rusqlite::Result<u64> {
    let sql = "INSERT INTO consumer (topic, name, committed) VALUES (?1, ?2, 1) ON CONFLICT DO NOTHING";
    scope.connection.prepare_cached(sql)?.execute([topic.name(), group])?;
    Ok(committed(scope.connection, topic, group)?.unwrap_or(1))
}

/// Notes what a group has finished. A topic's only group takes its finished records away at once, in any
/// order: they make room, and do not come again after a crash.
pub(super) fn commit(scope: &Scope<'_>, commit: &Commit) -> rusqlite::Result<()> {
    let (connection, name) = (scope.connection, commit.topic.name());
    let sql = "UPDATE consumer SET committed = max(committed, ?3) WHERE topic = ?1 AND name = ?2";
    let values = params![name, &*commit.group, commit.note.committed as i64];
    connection.prepare_cached(sql)?.execute(values)?;
    let sql = "SELECT count(*) FROM consumer WHERE topic = ?1";
    let groups: i64 = connection.prepare_cached(sql)?.query_row([name], |row| row.get(0))?;
    if groups == 1 && commit.topic == Topic::Pending {
        let mut delete =
            connection.prepare_cached(&format!("DELETE FROM \"{name}\" WHERE \"offset\" = ?1"))?;
        for offset in commit.note.finished.iter().filter(|offset| **offset < commit.passed) {
            delete.execute([*offset as i64])?;
        }
    }
    Ok(())
}

/// Removes what nobody needs, a bounded number of records; true if there may be more.
pub(super) fn tidy(
    scope: &Scope<'_>,
    settings: &EmbeddedSettings,
    passed: &BTreeMap<Topic, u64>,
) -> rusqlite::Result<bool> {
    let mut more = false;
    for topic in Topic::ALL {
        let (condition, bound) = match topic {
            Topic::Scripts | Topic::Retries => {
                let passed = passed.get(&topic).copied().unwrap_or(0) as i64;
                ("value IS NULL AND \"offset\" < ?1", Value::from(passed))
            }
            Topic::Pending => {
                let sql = "SELECT min(committed) FROM consumer WHERE topic = ?1";
                let mut statement = scope.connection.prepare_cached(sql)?;
                let finished: Option<i64> = statement.query_row([topic.name()], |row| row.get(0))?;
                let passed = passed.get(&topic).copied().unwrap_or(0) as i64;
                ("\"offset\" < ?1", Value::from(finished.unwrap_or(0).min(passed)))
            }
            // They are for operators to look at: they go sooner where there is no room for webhooks.
            Topic::Results if scope.is_low => ("time < ?1", Value::from(i64::MAX)),
            Topic::Results => ("time < ?1", before(scope, settings.results_kept)),
            Topic::DeadLetter => ("time < ?1", before(scope, settings.dead_letters_kept)),
        };
        more |= remove(scope.connection, topic, condition, &bound)?;
    }
    Ok(more)
}

fn before(scope: &Scope<'_>, kept: Duration) -> Value {
    let kept = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    Value::from(scope.now.saturating_sub(kept))
}

fn remove(connection: &Connection, topic: Topic, condition: &str, bound: &Value) -> rusqlite::Result<bool> {
    let name = topic.name();
    // Records are in the order of their times: looking ends at the first one that stays.
    let first = format!("SELECT \"offset\" FROM \"{name}\" ORDER BY \"offset\" LIMIT {TIDY_ROWS}");
    let chosen = if topic.is_compacted() {
        format!("SELECT \"offset\" FROM \"{name}\" WHERE {condition} ORDER BY \"offset\" LIMIT {TIDY_ROWS}")
    } else {
        first
    };
    let sql = format!("DELETE FROM \"{name}\" WHERE {condition} AND \"offset\" IN ({chosen})");
    let removed = connection.prepare_cached(&sql)?.execute([bound])?;
    Ok(removed as i64 == TIDY_ROWS)
}
