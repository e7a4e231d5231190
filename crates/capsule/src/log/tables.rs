//! The tables of the log, and the names under which applications read them.

use crate::conn::{Conn, EVENTS_DELETE_TRIGGER, RESERVED};
use crate::environment::Environment;
use crate::error::{CapsuleError, ErrorKind, Result};

/// Version of these tables. A file with a higher one is not touched.
const FORMAT: i64 = 1;

/// Bytes of the name of a device, which are two letters each.
const DEVICE_BYTES: usize = 16;

/// Statements that make the tables. SQLite makes a table of its own for each `IN` of a CHECK that it looks
/// at.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS main._capsule_meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS main._capsule_tx(
  tx INTEGER PRIMARY KEY,
  started INTEGER NOT NULL,
  completed INTEGER,
  status TEXT NOT NULL,
  first INTEGER,
  events INTEGER NOT NULL,
  source TEXT NOT NULL,
  cause INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS main._capsule_log(
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  tx INTEGER NOT NULL,
  op TEXT NOT NULL CHECK(op = 'INSERT' OR op = 'UPDATE' OR op = 'DELETE'),
  tbl TEXT NOT NULL,
  row_id INTEGER,
  key TEXT NOT NULL,
  old TEXT,
  new TEXT,
  at INTEGER NOT NULL,
  source TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS main._capsule_mods(
  name TEXT PRIMARY KEY,
  version TEXT NOT NULL,
  files TEXT NOT NULL,
  installed INTEGER NOT NULL,
  active INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS main._capsule_requests(
  client TEXT PRIMARY KEY,
  last INTEGER NOT NULL,
  reply BLOB
) STRICT;
";

/// Columns of the tables, as a file must have them that says it is a capsule.
const COLUMNS: [&str; 5] = [
    "SELECT key, value FROM main._capsule_meta",
    "SELECT tx, started, completed, status, first, events, source, cause FROM main._capsule_tx",
    "SELECT seq, tx, op, tbl, row_id, key, old, new, at, source FROM main._capsule_log",
    "SELECT name, version, files, installed, active FROM main._capsule_mods",
    "SELECT client, last, reply FROM main._capsule_requests",
];

/// Parts of a schema that no capsule makes, and that would work with its rights or change rows behind it:
/// what has a reserved name, or hangs on a table that has.
const FOREIGN: &str = r"
    SELECT type || ' ' || name FROM main.sqlite_schema WHERE sql LIKE '%\_capsule\_%' ESCAPE '\' AND (
      type IN ('trigger', 'view') AND name LIKE '\_capsule\_%' ESCAPE '\'
      OR type IN ('trigger', 'index') AND tbl_name LIKE '\_capsule\_%' ESCAPE '\'
      OR type = 'table' AND EXISTS(
        SELECT 1 FROM pragma_foreign_key_list(name) AS key WHERE key.'table' LIKE '\_capsule\_%' ESCAPE '\'
      )
      OR type = 'table' AND ?1 AND name LIKE '\_capsule\_%' ESCAPE '\'
    ) LIMIT 1";

/// Refuses a database whose schema has parts with reserved names that are none of the capsule's.
fn check_foreign(conn: &Conn, is_capsule: bool) -> Result<()> {
    let found = conn.own(|| {
        let mut read = conn.own_statement(FOREIGN)?;
        match read.query_row([!is_capsule], |row| row.get::<_, String>(0)) {
            Ok(found) => Ok(Some(found)),
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            Err(error) => Err(CapsuleError::from(error)),
        }
    })?;
    let Some(found) = found else { return Ok(()) };
    let reason =
        format!("the database has the {found}, which is none of a capsule's: {RESERVED} is reserved");
    Err(CapsuleError::new(ErrorKind::Unsupported, reason))
}

fn damaged(reason: &str) -> CapsuleError {
    CapsuleError::new(ErrorKind::Corrupt, format!("the tables of the capsule are damaged: {reason}"))
}

/// Checks that the tables have their columns, and their values are some.
fn check_tables(conn: &Conn, device: &str) -> Result<()> {
    for columns in COLUMNS {
        conn.own_statement(columns).map_err(|error| damaged(error.message()))?;
    }
    let is_name = device.len() == 2 * DEVICE_BYTES && device.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_name {
        return Err(damaged("the device has no name of the capsule's"));
    }
    // Whoever else has written the file may have counted otherwise: no number is given twice.
    let highest = conn.own(|| {
        let mut read = conn.own_statement(
            "SELECT max(
               coalesce((SELECT CAST(max(value) AS INTEGER) FROM main._capsule_meta WHERE key = 'delivered'), 0),
               coalesce((SELECT max(first + events - 1) FROM main._capsule_tx), 0))",
        )?;
        Ok::<i64, CapsuleError>(read.query_row([], |row| row.get(0))?)
    })?;
    if sequence(conn)? < highest { keep_sequence(conn, highest) } else { Ok(()) }
}

/// The number of the last change that the log has had.
pub(crate) fn sequence(conn: &Conn) -> Result<i64> {
    conn.own(|| {
        let mut read = conn.own_statement(
            "SELECT coalesce(max(seq), 0) FROM main.sqlite_sequence WHERE name = '_capsule_log'",
        )?;
        Ok(read.query_row([], |row| row.get(0))?)
    })
}

/// Makes this the number of the last change again, whatever an application has made of it.
pub(crate) fn keep_sequence(conn: &Conn, seq: i64) -> Result<()> {
    if sequence(conn)? == seq {
        return Ok(());
    }
    conn.run_own(&format!(
        "DELETE FROM main.sqlite_sequence WHERE name = '_capsule_log';
         INSERT INTO main.sqlite_sequence(name, seq) VALUES('_capsule_log', {seq});"
    ))
}

/// Makes the tables where there are none, and the views of this connection. Returns the name of the device.
pub(super) fn make(conn: &Conn, environment: &mut dyn Environment) -> Result<String> {
    let format = format(conn)?;
    check_foreign(conn, format.is_some())?;
    if format.is_some_and(|format| format > FORMAT) {
        return Err(CapsuleError::new(
            ErrorKind::Unsupported,
            "the database was written by a newer version of the capsule: this one does not touch it",
        ));
    }
    let device = if format.is_some() { meta(conn, "device")? } else { None };
    let device = if let Some(device) = device {
        check_tables(conn, &device)?;
        device
    } else {
        let device = new_device(environment);
        conn.run_own(&format!(
            "BEGIN IMMEDIATE; {TABLES}
             INSERT INTO main._capsule_meta VALUES('format', {FORMAT}), ('device', '{device}'), ('delivered', 0);
             COMMIT;"
        ))
        .inspect_err(|_| drop(conn.run_own("ROLLBACK")))?;
        device
    };
    conn.run_own(&views(&device))?;
    Ok(device)
}

/// The format of the tables; `None` if there are none.
fn format(conn: &Conn) -> Result<Option<i64>> {
    conn.own(|| {
        let mut exists =
            conn.own_statement("SELECT 1 FROM main.sqlite_schema WHERE name = '_capsule_meta'")?;
        if !exists.exists([])? {
            return Ok(None);
        }
        let Ok(mut read) = conn.own_statement("SELECT value FROM main._capsule_meta WHERE key = 'format'")
        else {
            return Ok(None);
        };
        match read.query_row([], |row| row.get(0)) {
            Ok(format) => Ok(Some(format)),
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
}

fn meta(conn: &Conn, key: &str) -> Result<Option<String>> {
    conn.own(|| {
        let mut read = conn.own_statement("SELECT value FROM main._capsule_meta WHERE key = ?1")?;
        match read.query_row([key], |row| row.get(0)) {
            Ok(value) => Ok(Some(value)),
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
}

/// The name of the device that a database has; `None` if it is no capsule.
pub(crate) fn device_of(conn: &Conn) -> Result<Option<String>> {
    if format(conn)?.is_some() { meta(conn, "device") } else { Ok(None) }
}

/// Sets the name of the device.
pub(crate) fn set_device(conn: &Conn, device: &str) -> Result<()> {
    conn.own(|| {
        let mut write =
            conn.own_statement("UPDATE main._capsule_meta SET value = ?1 WHERE key = 'device'")?;
        write.execute([device])?;
        Ok(())
    })
}

/// Version that migrations have brought the database to; 0 if none has run.
pub(crate) fn schema_version(conn: &Conn) -> Result<i64> {
    conn.own(|| {
        let mut read =
            conn.own_statement("SELECT max(value) FROM main._capsule_meta WHERE key = 'schema_version'")?;
        Ok(read.query_row([], |row| row.get::<_, Option<i64>>(0))?.unwrap_or_default())
    })
}

/// Notes the version that migrations have brought the database to, within their transaction.
pub(crate) fn set_schema_version(conn: &Conn, version: i64) -> Result<()> {
    conn.own(|| {
        let mut write =
            conn.own_statement("INSERT OR REPLACE INTO main._capsule_meta VALUES('schema_version', ?1)")?;
        write.execute([version])?;
        Ok(())
    })
}

/// Notes that the schema has changed, within the transaction that has: who has seen the changes up to the
/// last one has not seen the schema.
pub(crate) fn set_schema_changed(conn: &Conn) -> Result<()> {
    conn.own(|| {
        let mut write = conn.own_statement(
            "INSERT OR REPLACE INTO main._capsule_meta
             SELECT 'schema_changed', coalesce(max(seq), 0) + 1 FROM main.sqlite_sequence
             WHERE name = '_capsule_log'",
        )?;
        write.execute([])?;
        Ok(())
    })
}

/// The number of the last change that was delivered to reactions.
pub(crate) fn delivered(conn: &Conn) -> Result<i64> {
    conn.own(|| {
        let mut read = conn.own_statement("SELECT value FROM main._capsule_meta WHERE key = 'delivered'")?;
        Ok(read.query_row([], |row| row.get(0))?)
    })
}

/// Notes that the changes up to this number were delivered: within a transaction with what they set off.
pub(crate) fn set_delivered(conn: &Conn, seq: i64) -> Result<()> {
    conn.own(|| {
        let mut write = conn
            .own_statement("UPDATE main._capsule_meta SET value = max(value, ?1) WHERE key = 'delivered'")?;
        write.execute([seq])?;
        Ok(())
    })
}

/// A name that no other copy of any database has.
pub(crate) fn new_device(environment: &mut dyn Environment) -> String {
    use std::fmt::Write;
    let mut bytes = [0; DEVICE_BYTES];
    environment.random(&mut bytes);
    bytes.iter().fold(String::new(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// The views, of this connection only: any SQLite can read the tables below them.
fn views(device: &str) -> String {
    let time = |column: &str| format!("strftime('%Y-%m-%d %H:%M:%f', {column} / 1000.0, 'unixepoch')");
    format!(
        "CREATE TEMP VIEW _capsule_events AS SELECT
           seq AS id,
           {RESERVED}watcher_of(tbl) AS watcher_id,
           op AS operation,
           tbl AS table_name,
           row_id,
           old AS old_data,
           new AS new_data,
           {at} AS timestamp,
           '{device}-' || tx AS transaction_id,
           source,
           seq <= (SELECT value FROM main._capsule_meta WHERE key = 'delivered') AS processed
         FROM main._capsule_log;
         CREATE TEMP TRIGGER {EVENTS_DELETE_TRIGGER} INSTEAD OF DELETE ON _capsule_events WHEN OLD.processed BEGIN
           DELETE FROM main._capsule_log WHERE seq = OLD.id;
         END;
         CREATE TEMP VIEW _capsule_transactions AS SELECT
           '{device}-' || tx AS id,
           {started} AS started_at,
           {completed} AS completed_at,
           status,
           events AS event_count,
           source
         FROM main._capsule_tx;
         CREATE TEMP VIEW _capsule_watchers AS SELECT
           value ->> 'id' AS id,
           value ->> 'table_or_query' AS table_or_query,
           value ->> 'filter_expression' AS filter_expression,
           value ->> 'description' AS description,
           {created} AS created_at,
           {created} AS updated_at,
           1 AS is_active,
           value ->> 'subscription_count' AS subscription_count
         FROM json_each({RESERVED}watcher_list());
         CREATE TEMP VIEW _capsule_subscriptions AS SELECT
           value ->> 'id' AS id,
           value ->> 'watcher_id' AS watcher_id,
           value ->> 'listener_id' AS listener_id,
           value ->> 'listener_type' AS listener_type,
           value ->> 'filter_json' AS filter_json,
           {created} AS created_at,
           1 AS is_active
         FROM json_each({RESERVED}subscription_list());",
        at = time("at"),
        started = time("started"),
        completed = time("completed"),
        created = time("(value ->> 'created')"),
    )
}
