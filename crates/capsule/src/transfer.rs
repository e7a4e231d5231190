//! Whole databases as bytes: taken out of one, and put in the place of one.

use crate::conn::{Conn, Durability, Location};
use crate::database::Database;
use crate::environment::Environment;
use crate::error::{CapsuleError, Result};
use crate::log::{self, Log};

impl Database {
    /// The database as bytes, with its log: a file that any SQLite opens, and [`import`](Self::import) reads.
    ///
    /// # Errors
    /// `usage` within a transaction, `full` if there is no memory for them.
    pub fn export(&self) -> Result<Vec<u8>> {
        if self.is_in_transaction() {
            return Err(CapsuleError::usage("a database cannot be exported within a transaction"));
        }
        self.conn().to_bytes()
    }

    /// Puts a database, as bytes, in the place of another, which must not be open and need not exist. It is
    /// any database of SQLite, and becomes a capsule. The name of the device stays what it was: two copies
    /// never have the same.
    ///
    /// # Errors
    /// `corrupt` if the bytes are no database, or a damaged one; `unsupported` for one that a newer version
    /// has written, or whose texts are not UTF-8; `full`. The other is as before then.
    pub fn import(location: &Location, bytes: &[u8], environment: &mut dyn Environment) -> Result<()> {
        let source = source(bytes, environment)?;
        let mut target = Conn::open(location, Durability::Strict)?;
        fill(&mut target, &source, environment)?;
        target.close()
    }

    /// Opens a database in memory with the contents that these bytes have: [`import`](Self::import) for one
    /// that ends when it is closed.
    pub(crate) fn open_bytes(bytes: &[u8], mut environment: Box<dyn Environment>) -> Result<Self> {
        let source = source(bytes, &mut *environment)?;
        let mut conn = Conn::empty(source.page_size()?)?;
        fill(&mut conn, &source, &mut *environment)?;
        Self::of(conn, environment)
    }
}

/// A database in memory whose contents are these bytes, with the tables of a capsule.
fn source(bytes: &[u8], environment: &mut dyn Environment) -> Result<Conn> {
    let source = Conn::from_bytes(bytes)?;
    Log::open(&source, environment)?;
    Ok(source)
}

/// Gives a database the contents of another; its device stays, or is a new one.
fn fill(target: &mut Conn, source: &Conn, environment: &mut dyn Environment) -> Result<()> {
    let device = log::device_of(target)?.unwrap_or_else(|| log::new_device(environment));
    log::set_device(source, &device)?;
    source.copy_to(target)
}
