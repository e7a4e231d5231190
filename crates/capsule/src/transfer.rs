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
        let source = Conn::from_bytes(bytes)?;
        Log::open(&source, environment)?;
        let mut target = Conn::open(location, Durability::Strict)?;
        let device = log::device_of(&target)?.unwrap_or_else(|| log::new_device(environment));
        log::set_device(&source, &device)?;
        source.copy_to(&mut target)?;
        target.close()
    }
}
