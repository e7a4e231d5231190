//! The file: opening, making, refusing.

use super::EmbeddedSettings;
use crate::Topic;
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// "howk" in ASCII.
const APPLICATION_ID: i32 = 0x686f_776b;

/// The version of the schema that this program writes.
const VERSION: i32 = 1;

/// The part of the file that is kept for what finishes old work: one in this many bytes.
pub(super) const RESERVE_PART: u64 = 4;

/// Longest wait of a connection for another one, an operator's for example.
const BUSY: Duration = Duration::from_secs(5);

/// Reason for which a store did not open. Its file was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The file is the database of another program.
    #[error("{} is a database of another program", .0.display())]
    NotOurs(PathBuf),
    /// A newer program wrote it.
    #[error("{} has version {found} of its schema; this program knows versions up to {known}", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Version of the file.
        found: i32,
        /// The last version that this program knows.
        known: i32,
    },
    /// The file system refused.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Words of the system.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("the store cannot be opened: {0}")]
    Database(#[from] rusqlite::Error),
    /// The system gave no thread.
    #[error("the store has no thread: {0}")]
    Thread(String),
}

/// Takes the lock of the file at `path`: a file beside it, so that SQLite's own locks stay as they are.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&beside);
    let file = file.map_err(|source| OpenError::File { path: beside.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.into())),
        Err(TryLockError::Error(source)) => Err(OpenError::File { path: beside, source }),
    }
}

pub(super) fn open(path: &Path, settings: &EmbeddedSettings) -> Result<Connection, OpenError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    prepare(&connection, path, settings)?;
    Ok(connection)
}

pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

pub(super) fn open_memory(settings: &EmbeddedSettings) -> Result<Connection, OpenError> {
    let connection = Connection::open_in_memory()?;
    prepare(&connection, Path::new(":memory:"), settings)?;
    Ok(connection)
}

fn prepare(connection: &Connection, path: &Path, settings: &EmbeddedSettings) -> Result<(), OpenError> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(OpenError::NotOurs(path.into()));
    }
    if version > VERSION {
        return Err(OpenError::Newer { path: path.into(), found: version, known: VERSION });
    }
    if tables == 0 {
        // Has an effect only on a database that is empty.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.set_prepared_statement_cache_capacity(64);
    if version == 0 {
        connection.execute_batch(&format!("BEGIN IMMEDIATE; {} COMMIT", schema()))?;
    }
    if let Some(bytes) = settings.max_bytes {
        let page = u64::try_from(number("page_size")?).unwrap_or(4096);
        connection.pragma_update(None, "max_page_count", (bytes / page).clamp(64, 0xffff_fffe) as i64)?;
    }
    Ok(())
}

fn schema() -> String {
    let topics: String = Topic::ALL.into_iter().map(topic_schema).collect();
    format!(
        "{topics}
         CREATE TABLE consumer (
             topic TEXT NOT NULL,
             name TEXT NOT NULL,
             committed INTEGER NOT NULL,
             PRIMARY KEY (topic, name)
         ) STRICT;
         CREATE TABLE state (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL, expires INTEGER) STRICT;
         CREATE INDEX \"state.expires\" ON state (expires) WHERE expires IS NOT NULL;
         CREATE VIEW state_text AS SELECT CAST(key AS TEXT) AS key, CAST(value AS TEXT) AS value, expires FROM state;
         CREATE TABLE kv_usage (config TEXT PRIMARY KEY NOT NULL, bytes INTEGER NOT NULL) STRICT;
         PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {VERSION};"
    )
}

fn topic_schema(topic: Topic) -> String {
    let name = topic.name();
    // AUTOINCREMENT: an offset is not used again when the records up to the last one are gone.
    let table = format!(
        "CREATE TABLE \"{name}\" (
             \"offset\" INTEGER PRIMARY KEY AUTOINCREMENT,
             key TEXT NOT NULL,
             time INTEGER NOT NULL,
             value ANY
         ) STRICT;"
    );
    if !topic.is_compacted() {
        return table;
    }
    format!(
        "{table}
         CREATE INDEX \"{name}.key\" ON \"{name}\" (key);
         CREATE INDEX \"{name}.tombstones\" ON \"{name}\" (\"offset\") WHERE value IS NULL;"
    )
}
