//! The log: every transaction and every change, in tables of the database itself.
//!
//! Written in the commit that it tells of, so log and data are never apart. Only this module writes the
//! capsule's own tables.

mod json;
mod mods;
mod read;
mod registry;
mod requests;
mod retention;
mod tables;

pub(crate) use mods::{StoredMod, add_mod, mods, remove_mod, replace_mod, set_mod_active};
pub use read::{LoggedChange, LoggedTransaction};
pub(crate) use read::{changes_of, changes_since, last_change, last_change_of, reaches_back, transaction};
pub(crate) use registry::{Registry, RegistrySlot};
pub(crate) use requests::{StoredRequest, keep_clients, keep_request, request};
pub use retention::Retention;
pub(crate) use retention::{SWEEP_INTERVAL_MS, lowest_cursor, sweep};
pub(crate) use tables::{
    delivered, device_of, keep_sequence, new_device, schema_version, sequence, set_delivered, set_device,
    set_schema_changed, set_schema_version,
};

use crate::capture::RowChange;
use crate::conn::Conn;
use crate::environment::Environment;
use crate::error::{CapsuleError, Result};
use rusqlite::params;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// Rows of the log that one statement writes, at most. With more of them SQLite finds no memory at hand for
/// their texts.
const ROWS_PER_INSERT: usize = 32;

/// Transactions that were rolled back and are written with the next commit, at most.
const ROLLED_BACK_MAX: usize = 100;

/// Author of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Source {
    /// The application.
    #[default]
    Application,
    /// A Lua script.
    Lua,
    /// Another device.
    Sync,
    /// The undoing of an earlier transaction.
    Undo,
}

impl Source {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Application => "trigger",
            Self::Lua => "lua",
            Self::Sync => "sync",
            Self::Undo => "undo",
        }
    }
}

/// Facts about a transaction that are known when it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) tx: i64,
    /// Milliseconds since 1970.
    pub(crate) started: i64,
    pub(crate) source: Source,
    /// The transaction whose events it reacts to.
    pub(crate) cause: Option<i64>,
}

/// A transaction that left nothing.
#[derive(Debug, Clone, Copy)]
struct RolledBack {
    header: Header,
    ended: i64,
}

/// Numbers and queues of the log.
#[derive(Debug)]
pub(crate) struct Log {
    device: Box<str>,
    pub(crate) registry: RegistrySlot,
    next_tx: Cell<i64>,
    rolled_back: RefCell<VecDeque<RolledBack>>,
}

impl Log {
    /// Makes the tables if there are none, and reads where the log stands.
    pub(crate) fn open(conn: &Conn, environment: &mut dyn Environment) -> Result<Self> {
        let registry = RegistrySlot::attach(conn)?;
        let device = tables::make(conn, environment)?;
        let next_tx = conn.own(|| {
            let mut statement =
                conn.own_statement("SELECT coalesce(max(tx), 0) + 1 FROM main._capsule_tx")?;
            Ok::<i64, CapsuleError>(statement.query_row([], |row| row.get(0))?)
        })?;
        Ok(Self { device: device.into(), registry, next_tx: next_tx.into(), rolled_back: RefCell::default() })
    }

    /// The name of this copy of the database: the first part of the identifiers of its transactions.
    pub(crate) fn device(&self) -> &str {
        &self.device
    }

    /// The number of a transaction that begins.
    pub(crate) fn take_number(&self) -> i64 {
        let tx = self.next_tx.get();
        self.next_tx.set(tx + 1);
        tx
    }

    /// Remembers a transaction that was rolled back, for the next commit.
    pub(crate) fn rolled_back(&self, header: Header, ended: i64) {
        let mut queue = self.rolled_back.borrow_mut();
        if queue.len() == ROLLED_BACK_MAX {
            queue.pop_front();
        }
        queue.push_back(RolledBack { header, ended });
    }

    /// Writes a transaction and its changes, within it. Returns the number of its first event, if it has any.
    pub(crate) fn write(
        &self,
        conn: &Conn,
        header: Header,
        now: i64,
        changes: &[RowChange],
    ) -> Result<Option<i64>> {
        conn.own(|| {
            let first = write_changes(conn, header, now, changes)?;
            let mut transaction = conn.own_statement(
                "INSERT INTO main._capsule_tx(tx, started, completed, status, first, events, source, cause)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for lost in &*self.rolled_back.borrow() {
                let RolledBack { header, ended } = lost;
                let none: Option<i64> = None;
                let source = header.source.name();
                transaction.execute(params![
                    header.tx,
                    header.started,
                    ended,
                    "rolled_back",
                    none,
                    0,
                    source,
                    header.cause
                ])?;
            }
            let count = changes.len() as i64;
            let source = header.source.name();
            transaction.execute(params![
                header.tx,
                header.started,
                now,
                "committed",
                first,
                count,
                source,
                header.cause
            ])?;
            Ok(first)
        })
    }

    /// Forgets the transactions that were rolled back: a commit has written them.
    pub(crate) fn written(&self) {
        self.rolled_back.borrow_mut().clear();
    }
}

/// Writes the changes of a transaction; returns the number of the first.
fn write_changes(conn: &Conn, header: Header, now: i64, changes: &[RowChange]) -> Result<Option<i64>> {
    let mut first = None;
    let (mut key, mut image) = (String::new(), String::new());
    // A statement for many rows counts their numbers only once.
    for chunk in changes.chunks(ROWS_PER_INSERT) {
        let kind = |change: &RowChange| (change.operation(), change.table().as_ptr());
        let is_alike = chunk.iter().all(|change| kind(change) == kind(&chunk[0]));
        let mut statement = conn.own_statement(&insert_rows(chunk.len(), is_alike))?;
        statement.raw_bind_parameter(1, header.tx)?;
        statement.raw_bind_parameter(2, now)?;
        statement.raw_bind_parameter(3, header.source.name())?;
        let mut parameters = 4..;
        let mut next = || parameters.next().unwrap_or_default();
        for (index, change) in chunk.iter().enumerate() {
            if index == 0 || !is_alike {
                statement.raw_bind_parameter(next(), change.operation().name())?;
                statement.raw_bind_parameter(next(), change.table())?;
            }
            statement.raw_bind_parameter(next(), change.rowid())?;
            key.clear();
            json::write_key(&mut key, &change.key());
            statement.raw_bind_parameter(next(), &key)?;
            for row in [change.old_row(), change.new_row()] {
                statement.raw_bind_parameter(next(), row.map(|row| written(&mut image, row)))?;
            }
        }
        statement.raw_execute()?;
        first.get_or_insert_with(|| conn.last_insert_rowid() - (chunk.len() as i64 - 1));
    }
    Ok(first)
}

/// The statement that writes so many rows of the log. Rows that are alike have the operation and the table of
/// the first.
fn insert_rows(count: usize, are_alike: bool) -> String {
    let mut sql =
        String::from("INSERT INTO main._capsule_log(tx, at, source, op, tbl, row_id, key, old, new) VALUES");
    for row in 0..count {
        sql.push_str(if row == 0 { "(?1,?2,?3," } else { ",(?1,?2,?3," });
        sql.push_str(if are_alike { "?4,?5,?,?,?,?)" } else { "?,?,?,?,?,?)" });
    }
    sql
}

/// A text as JSON.
pub(crate) fn json_text(text: &str) -> String {
    let mut json = String::new();
    json::write_text(&mut json, text);
    json
}

/// The text of a key: its values as a JSON array.
pub(crate) fn key_text(key: &[crate::value::SqlValue]) -> String {
    let mut text = String::new();
    json::write_key(&mut text, key);
    text
}

/// The text of a row, in a buffer that is used again.
fn written<'a>(buffer: &'a mut String, row: &crate::capture::Row) -> &'a str {
    buffer.clear();
    json::write_row(buffer, row);
    buffer
}
