//! Entries of the state in SQL. The bytes of a config's entries are counted with each change.

use super::thread::Scope;
use crate::kv_owner;
use bytes::Bytes;
use rusqlite::types::Null;
use rusqlite::{Connection, OptionalExtension, params};

/// Most entries that one turn removes.
pub(super) const PURGE_ROWS: usize = 500;

/// The value of a key at a time.
pub(super) fn get(connection: &Connection, key: &[u8], now: i64) -> rusqlite::Result<Option<Bytes>> {
    let sql = "SELECT value FROM state WHERE key = ?1 AND (expires IS NULL OR expires > ?2)";
    let mut statement = connection.prepare_cached(sql)?;
    let value = statement.query_row(params![key, now], |row| row.get::<_, Vec<u8>>(0)).optional()?;
    Ok(value.map(Bytes::from))
}

/// Stores a value, or deletes the key.
pub(super) fn put(
    scope: &Scope<'_>,
    key: &[u8],
    value: Option<&[u8]>,
    expires: Option<i64>,
) -> rusqlite::Result<()> {
    let before = stored_bytes(scope.connection, key)?;
    if let Some(value) = value {
        let sql = "INSERT INTO state (key, value, expires) VALUES (?1, ?2, ?3)
                   ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires";
        scope.connection.prepare_cached(sql)?.execute(params![key, value, expires])?;
    } else if before > 0 {
        scope.connection.prepare_cached("DELETE FROM state WHERE key = ?1")?.execute([key])?;
    }
    let after = value.map_or(0, |value| size(key, value));
    count(scope.connection, key, after as i64 - before as i64)
}

/// Bytes of an entry.
pub(super) fn size(key: &[u8], value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64
}

/// Bytes of the entry of a key, expired or not.
pub(super) fn stored_bytes(connection: &Connection, key: &[u8]) -> rusqlite::Result<u64> {
    let sql = "SELECT length(key) + length(value) FROM state WHERE key = ?1";
    let bytes: Option<i64> = connection.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?;
    Ok(bytes.unwrap_or(0) as u64)
}

/// Bytes of a config's entries, with those that have expired and are not removed yet.
pub(super) fn usage(connection: &Connection, config: &str) -> rusqlite::Result<u64> {
    let sql = "SELECT bytes FROM kv_usage WHERE config = ?1";
    let bytes: Option<i64> =
        connection.prepare_cached(sql)?.query_row([config], |row| row.get(0)).optional()?;
    Ok(bytes.unwrap_or(0) as u64)
}

fn count(connection: &Connection, key: &[u8], change: i64) -> rusqlite::Result<()> {
    let Some(config) = kv_owner(key).filter(|_| change != 0) else { return Ok(()) };
    let sql = "INSERT INTO kv_usage (config, bytes) VALUES (?1, ?2)
               ON CONFLICT (config) DO UPDATE SET bytes = bytes + excluded.bytes";
    connection.prepare_cached(sql)?.execute(params![config, change])?;
    connection.prepare_cached("DELETE FROM kv_usage WHERE config = ?1 AND bytes = 0")?.execute([config])?;
    Ok(())
}

/// Removes entries that have expired, at most `limit`; the answer is how many.
pub(super) fn purge(scope: &Scope<'_>, limit: usize) -> rusqlite::Result<usize> {
    let sql = "SELECT key FROM state WHERE expires <= ?1 ORDER BY expires LIMIT ?2";
    let mut statement = scope.connection.prepare_cached(sql)?;
    let keys = statement.query_map(params![scope.now, limit as i64], |row| row.get::<_, Vec<u8>>(0))?;
    let keys = keys.collect::<rusqlite::Result<Vec<_>>>()?;
    for key in &keys {
        put(scope, key, None, None)?;
    }
    Ok(keys.len())
}

/// Entries that begin with `prefix`, after a key.
pub(super) fn scan(
    connection: &Connection,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
    now: i64,
) -> rusqlite::Result<Vec<(Bytes, Bytes)>> {
    let sql = "SELECT key, value FROM state
               WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) AND (?3 IS NULL OR key > ?3)
                 AND (expires IS NULL OR expires > ?4)
               ORDER BY key LIMIT ?5";
    let mut statement = connection.prepare_cached(sql)?;
    let from = after.filter(|after| *after > prefix).unwrap_or(prefix);
    let (end, limit) = (successor(prefix), i64::try_from(limit).unwrap_or(i64::MAX));
    let read =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?.into(), row.get::<_, Vec<u8>>(1)?.into()));
    let rows = match end {
        Some(end) => statement.query_map(params![from, end, after, now, limit], read)?,
        None => statement.query_map(params![from, Null, after, now, limit], read)?,
    };
    rows.collect()
}

/// The first key after all that begin with `prefix`; none if there is no such key.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut key = prefix[..=last].to_vec();
    key[last] += 1;
    Some(key)
}
