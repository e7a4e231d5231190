//! Opening a database, with the settings that are the same in every capsule.

use crate::error::{CapsuleError, ErrorKind, Result};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Place of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Memory: it ends with the capsule.
    Memory,
    /// A file, which is made if there is none.
    File(PathBuf),
}

impl Location {
    /// The place by its name: `":memory:"`, or the path of a file.
    pub fn from_name(name: &str) -> Self {
        if name == ":memory:" { Self::Memory } else { Self::File(name.into()) }
    }
}

/// Events that a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The death of the process. A power cut may take the newest commits, never a part of one.
    #[default]
    Relaxed,
    /// A power cut, too.
    Strict,
}

impl Durability {
    fn synchronous(self) -> &'static str {
        match self {
            Self::Relaxed => "NORMAL",
            Self::Strict => "FULL",
        }
    }
}

/// Bytes of a page of the file.
const PAGE_SIZE: u32 = 8192;

/// Pages of the write-ahead log after which it goes into the database. Few: at a quota even a DELETE has to
/// make it grow.
const CHECKPOINT_PAGES: u32 = 500;

/// The same where files have a disk, and no quota. A commit of one row writes four pages, so every five
/// hundredth of them waits for the disk.
pub(crate) const CHECKPOINT_PAGES_OF_DISK: u32 = 2000;

/// Bytes of one value, and of one row. What takes several times as much on its way must have room, too.
const VALUE_BYTES_MAX: i32 = 64 * 1024 * 1024;

/// Bytes of a pattern of LIKE and GLOB: SQLite goes down a level of the stack for each wildcard in it.
const PATTERN_BYTES_MAX: i32 = 4096;

/// Columns of a table, and of a result: SQLite goes down a level of the stack for each generated column that
/// needs another.
const COLUMNS_MAX: i32 = 500;

/// Opens a database.
pub(super) fn open(location: &Location, durability: Durability) -> Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sqlite = match location {
        Location::Memory => Connection::open_in_memory_with_flags(flags),
        Location::File(path) => Connection::open_with_flags(literal(path)?, flags),
    }?;
    configure(&sqlite, durability, PAGE_SIZE)?;
    Ok(sqlite)
}

/// A connection to a database in memory, with the settings of every capsule.
pub(super) fn configured(sqlite: Connection) -> Result<Connection> {
    configure(&sqlite, Durability::default(), PAGE_SIZE)?;
    Ok(sqlite)
}

/// A connection to an empty database in memory with pages of this size, which they keep.
pub(super) fn empty(page_size: u32) -> Result<Connection> {
    let sqlite = Connection::open_in_memory()?;
    configure(&sqlite, Durability::default(), page_size)?;
    Ok(sqlite)
}

/// A path that SQLite takes as it is: text that begins with `file:` would be a URI, and nothing at all a
/// temporary file.
fn literal(path: &Path) -> Result<PathBuf> {
    let Some(text) = path.to_str() else {
        return Err(CapsuleError::usage(format!("{} is not UTF-8", path.display())));
    };
    if text.is_empty() {
        return Err(CapsuleError::usage("the name of the database is empty"));
    }
    if text.contains('\0') {
        return Err(CapsuleError::usage("the name of a database cannot hold a NUL character"));
    }
    Ok(if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) })
}

fn configure(sqlite: &Connection, durability: Durability, page_size: u32) -> Result<()> {
    sqlite.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    sqlite.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES_MAX)?;
    sqlite.set_limit(Limit::SQLITE_LIMIT_COLUMN, COLUMNS_MAX)?;
    sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true)?;
    sqlite.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, true)?;
    // Whoever else has the file keeps it for as long as it runs: waiting does not help.
    sqlite.busy_timeout(Duration::ZERO)?;
    // Exclusive before anything touches the file: so WAL needs no shared memory.
    let synchronous = durability.synchronous();
    sqlite.execute_batch(&format!(
        "PRAGMA locking_mode=EXCLUSIVE;
         PRAGMA page_size={page_size};
         PRAGMA journal_mode=WAL;
         PRAGMA synchronous={synchronous};
         PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES};
         PRAGMA foreign_keys=ON;
         PRAGMA recursive_triggers=ON;
         PRAGMA cell_size_check=ON;
         PRAGMA temp_store=MEMORY;
         BEGIN IMMEDIATE; COMMIT;"
    ))?;
    let encoding: String = sqlite.query_row("PRAGMA encoding", [], |row| row.get(0))?;
    if encoding != "UTF-8" {
        return Err(CapsuleError::new(
            ErrorKind::Unsupported,
            format!("the database is kept in {encoding}: a capsule needs UTF-8"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_neither_a_uri_nor_a_temporary_file() {
        assert_eq!(literal(Path::new("file:a?mode=ro")).expect("a path"), Path::new("./file:a?mode=ro"));
        assert_eq!(literal(Path::new(":memory:")).expect("a path"), Path::new("./:memory:"));
        assert_eq!(literal(Path::new("/a")).expect("a path"), Path::new("/a"));
        assert_eq!(literal(Path::new("")).expect_err("none").kind(), ErrorKind::Usage);
        assert_eq!(literal(Path::new("a\0b")).expect_err("none").kind(), ErrorKind::Usage);
    }
}
