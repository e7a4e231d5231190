//! Reads the log back: what has changed since a number, and what a transaction did.

use super::json;
use crate::conn::Conn;
use crate::error::Result;
use crate::value::SqlValue;
use rusqlite::Row;

/// A change as the log keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedChange {
    /// Number of the change: later changes have higher ones.
    pub seq: i64,
    /// The number of its transaction.
    pub transaction: i64,
    /// `"INSERT"`, `"UPDATE"` or `"DELETE"`.
    pub operation: String,
    /// The name of the table at that time.
    pub table: String,
    /// The rowid, in tables that have one.
    pub rowid: Option<i64>,
    /// The values of the primary key, or the rowid where none is declared. With a NULL among them only
    /// `rowid` tells the row apart.
    pub key: Vec<SqlValue>,
    /// Names and values before; `None` for an INSERT.
    pub old: Option<Vec<(String, SqlValue)>>,
    /// Names and values after; `None` for a DELETE.
    pub new: Option<Vec<(String, SqlValue)>>,
    /// Milliseconds since 1970.
    pub at: i64,
    /// The name of the source: `"trigger"`, `"lua"`, `"sync"`, `"undo"`.
    pub source: String,
}

/// A transaction as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedTransaction {
    /// Number of the transaction.
    pub transaction: i64,
    /// Milliseconds since 1970.
    pub started: i64,
    /// Milliseconds since 1970.
    pub completed: Option<i64>,
    /// `"committed"` or `"rolled_back"`.
    pub status: String,
    /// The number of its first change, if it has any.
    pub first: Option<i64>,
    /// The number of its changes.
    pub events: i64,
    /// The name of the source.
    pub source: String,
    /// The transaction whose changes it reacted to.
    pub cause: Option<i64>,
}

fn change(row: &Row<'_>) -> Result<LoggedChange> {
    let image = |index| -> Result<Option<Vec<(String, SqlValue)>>> {
        let text: Option<String> = row.get(index)?;
        text.map(|text| json::read_row(&text)).transpose()
    };
    let key: String = row.get(5)?;
    Ok(LoggedChange {
        seq: row.get(0)?,
        transaction: row.get(1)?,
        operation: row.get(2)?,
        table: row.get(3)?,
        rowid: row.get(4)?,
        key: json::read_key(&key)?,
        old: image(6)?,
        new: image(7)?,
        at: row.get(8)?,
        source: row.get(9)?,
    })
}

/// Changes with a number above `seq`, at most `limit`, in order.
pub(crate) fn changes_since(conn: &Conn, seq: i64, limit: i64) -> Result<Vec<LoggedChange>> {
    let mut statement = conn.own_statement(
        "SELECT seq, tx, op, tbl, row_id, key, old, new, at, source FROM main._capsule_log
         WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    conn.own(|| statement.query_and_then([seq, limit], change)?.collect())
}

/// The number of the last change that was ever logged; 0 if there was none.
pub(crate) fn last_change(conn: &Conn) -> Result<i64> {
    let mut statement =
        conn.own_statement("SELECT max(seq) FROM main.sqlite_sequence WHERE name = '_capsule_log'")?;
    Ok(conn.own(|| statement.query_row([], |row| row.get::<_, Option<i64>>(0)))?.unwrap_or_default())
}

/// True if the log has every change with a number above `seq`, and the schema is the same since then.
pub(crate) fn reaches_back(conn: &Conn, seq: i64) -> Result<bool> {
    let mut statement = conn.own_statement(
        "SELECT (SELECT count(*) FROM main._capsule_log WHERE seq > ?1)
                = (SELECT coalesce(max(seq), 0) FROM main.sqlite_sequence WHERE name = '_capsule_log') - ?1
            AND ?1 >= coalesce((SELECT value FROM main._capsule_meta WHERE key = 'schema_changed'), 0)",
    )?;
    Ok(conn.own(|| statement.query_row([seq], |row| row.get(0)))?)
}

/// Changes of a transaction, in order.
pub(crate) fn changes_of(conn: &Conn, tx: i64) -> Result<Vec<LoggedChange>> {
    let mut statement = conn.own_statement(
        "SELECT seq, tx, op, tbl, row_id, key, old, new, at, source FROM main._capsule_log
         WHERE seq >= (SELECT first FROM main._capsule_tx WHERE tx = ?1) AND tx = ?1 ORDER BY seq",
    )?;
    conn.own(|| statement.query_and_then([tx], change)?.collect())
}

/// The last transaction that changed a row; `None` if the log has none.
pub(crate) fn last_change_of(
    conn: &Conn,
    table: &str,
    key: &[SqlValue],
    rowid: Option<i64>,
) -> Result<Option<i64>> {
    let mut statement = conn.own_statement(
        "SELECT max(tx) FROM main._capsule_log WHERE tbl = ?1 AND key = ?2 AND (?3 IS NULL OR row_id IS ?3)",
    )?;
    let rowid = rowid.filter(|_| key.contains(&SqlValue::Null));
    let last = conn.own(|| statement.query_row((table, super::key_text(key), rowid), |row| row.get(0)))?;
    Ok(last)
}

/// A transaction by its number.
pub(crate) fn transaction(conn: &Conn, tx: i64) -> Result<Option<LoggedTransaction>> {
    let mut statement = conn.own_statement(
        "SELECT tx, started, completed, status, first, events, source, cause FROM main._capsule_tx WHERE tx = ?1",
    )?;
    let found = conn.own(|| {
        statement.query_row([tx], |row| {
            Ok(LoggedTransaction {
                transaction: row.get(0)?,
                started: row.get(1)?,
                completed: row.get(2)?,
                status: row.get(3)?,
                first: row.get(4)?,
                events: row.get(5)?,
                source: row.get(6)?,
                cause: row.get(7)?,
            })
        })
    });
    match found {
        Ok(transaction) => Ok(Some(transaction)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
