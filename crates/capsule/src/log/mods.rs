//! The installed mods, in a table of the database itself.

use super::json;
use crate::conn::Conn;
use crate::error::{CapsuleError, Result};
use crate::value::SqlValue;
use rusqlite::{Row, params};

/// A mod as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredMod {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Names and sources, in the order in which they run.
    pub(crate) files: Vec<(String, String)>,
    /// Milliseconds since 1970, and higher than that of every mod before it.
    pub(crate) installed: i64,
    /// True if it is activated when the database is opened.
    pub(crate) active: bool,
}

fn stored(row: &Row<'_>) -> Result<StoredMod> {
    let files: String = row.get(2)?;
    let source = |(name, source): (String, SqlValue)| match source {
        SqlValue::Text(text) => String::from_utf8(text).ok().map(|text| (name, text)),
        _ => None,
    };
    let read = json::read_row(&files)?.into_iter().map(source).collect::<Option<_>>();
    Ok(StoredMod {
        name: row.get(0)?,
        version: row.get(1)?,
        files: read.ok_or_else(|| json::damaged(&files))?,
        installed: row.get(3)?,
        active: row.get(4)?,
    })
}

fn files_text(files: &[(String, String)]) -> String {
    let mut text = String::from("{");
    for (index, (name, source)) in files.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        json::write_text(&mut text, name);
        text.push(':');
        json::write_text(&mut text, source);
    }
    text.push('}');
    text
}

/// All mods, in the order in which they were installed.
pub(crate) fn mods(conn: &Conn) -> Result<Vec<StoredMod>> {
    conn.own(|| {
        let mut read = conn.own_statement(
            "SELECT name, version, files, installed, active FROM main._capsule_mods ORDER BY installed",
        )?;
        read.query_and_then([], stored)?.collect()
    })
}

/// Adds a mod, which is active, and returns the time of its installation.
pub(crate) fn add_mod(
    conn: &Conn,
    name: &str,
    version: &str,
    files: &[(String, String)],
    now: i64,
) -> Result<i64> {
    conn.own(|| {
        let mut write = conn.own_statement(
            "INSERT INTO main._capsule_mods(name, version, files, installed, active)
             VALUES(?1, ?2, ?3, max(?4, (SELECT coalesce(max(installed) + 1, ?4) FROM main._capsule_mods)), 1)
             RETURNING installed",
        )?;
        let mut rows = write.query(params![name, version, files_text(files), now])?;
        let installed = rows.next()?.map(|row| row.get(0)).transpose()?.unwrap_or(now);
        while rows.next()?.is_some() {}
        Ok::<_, CapsuleError>(installed)
    })
}

fn write(conn: &Conn, sql: &str, params: impl rusqlite::Params) -> Result<()> {
    conn.own(|| conn.own_statement(sql)?.execute(params).map(drop).map_err(CapsuleError::from))
}

/// Replaces the files of a mod by those of another version.
pub(crate) fn replace_mod(conn: &Conn, name: &str, version: &str, files: &[(String, String)]) -> Result<()> {
    let sql = "UPDATE main._capsule_mods SET version = ?2, files = ?3 WHERE name = ?1";
    write(conn, sql, params![name, version, files_text(files)])
}

/// Notes whether a mod is activated when the database is opened.
pub(crate) fn set_mod_active(conn: &Conn, name: &str, active: bool) -> Result<()> {
    write(conn, "UPDATE main._capsule_mods SET active = ?2 WHERE name = ?1", params![name, active])
}

/// Takes a mod away.
pub(crate) fn remove_mod(conn: &Conn, name: &str) -> Result<()> {
    write(conn, "DELETE FROM main._capsule_mods WHERE name = ?1", [name])
}
