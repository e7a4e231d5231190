//! Databases as bytes: of one that is open, and of one that somebody gives.

use super::{Conn, open};
use crate::error::{CapsuleError, ErrorKind, Result};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, MAIN_DB};

/// Bytes that every database begins with.
const HEAD: &[u8] = b"SQLite format 3\0";

/// Bytes of the header, which a database is never shorter than.
const HEADER_BYTES: usize = 100;

/// The two bytes of the header that say how the file is written: 1 is without a write-ahead log, and 2 with
/// one, which bytes alone do not have.
const VERSIONS: std::ops::Range<usize> = 18..20;

/// Pages that one step of a copy copies: all.
const ALL_PAGES: i32 = -1;

fn corrupt(message: impl Into<String>) -> CapsuleError {
    CapsuleError::new(ErrorKind::Corrupt, message)
}

impl Conn {
    /// The database as bytes, which any SQLite opens as a file.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        self.own(|| {
            let mut copied = Connection::open_in_memory()?;
            copy(&self.sqlite, &mut copied)?;
            let mut bytes = copied.serialize(MAIN_DB)?.to_vec();
            if let Some(versions) = bytes.get_mut(VERSIONS) {
                versions.fill(1);
            }
            Ok(bytes)
        })
    }

    /// A database in memory whose contents are these bytes. Every page of it has been looked at.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < HEADER_BYTES || !bytes.starts_with(HEAD) {
            return Err(corrupt("these bytes are no database of SQLite"));
        }
        let mut header = bytes[..HEADER_BYTES].to_vec();
        header[VERSIONS].fill(1);
        let mut sqlite = Connection::open_in_memory()?;
        let whole = std::io::Read::chain(&header[..], &bytes[HEADER_BYTES..]);
        sqlite.deserialize_read_exact(MAIN_DB, whole, bytes.len(), false)?;
        let conn = Self::of(open::configured(sqlite)?)?;
        conn.own(|| {
            let found: String = conn.sqlite.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            if found == "ok" { Ok(()) } else { Err(corrupt(format!("the database is damaged: {found}"))) }
        })?;
        Ok(conn)
    }

    /// Bytes of a page.
    pub(crate) fn page_size(&self) -> Result<u32> {
        Ok(self.own(|| self.sqlite.query_row("PRAGMA page_size", [], |row| row.get(0)))?)
    }

    /// Makes the contents of another database those of this one: all of it, or nothing. Its pages get the
    /// size of these.
    pub(crate) fn copy_to(&self, target: &mut Self) -> Result<()> {
        if self.page_size()? != target.page_size()? {
            // Pages of another size cannot go through a write-ahead log: one is made again at the next
            // opening. Nor is a journal removed while the file is locked for good.
            target.run_own("PRAGMA journal_mode=DELETE; PRAGMA locking_mode=NORMAL")?;
        }
        self.own(|| copy(&self.sqlite, &mut target.sqlite))
    }
}

fn copy(source: &Connection, target: &mut Connection) -> Result<()> {
    match Backup::new(source, target)?.step(ALL_PAGES)? {
        StepResult::Done => Ok(()),
        _ => Err(CapsuleError::new(ErrorKind::Locked, "the database is in use and cannot be copied")),
    }
}
