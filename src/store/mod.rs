//! The storage of external tables, outside of the VM: the trait [`TableStore`] and an implementation in
//! memory. Keys and values are encoded values (docs/codec.md); a store compares keys as bytes and does not
//! interpret either.

pub use self::memory::MemoryStore;
use std::fmt;

pub mod conformance;
mod memory;

/// The id of an open table of one store. A store never reuses an id, not even if opening the table was rolled
/// back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u32);

/// A position before, between or after the entries of a table; greater further on in iteration order, and
/// less than 2^53. 0 is before the first entry. A store never gives a cursor to two entries, so a cursor
/// stays valid when its entry is removed, and new entries come after it, also when others were rolled back.
pub type Cursor = u64;

/// An operation on transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// Opens a transaction, nested in the current one if there is one.
    Begin,
    /// Closes the innermost transaction, and keeps what was written since its `Begin`.
    Commit,
    /// Closes the innermost transaction, and undoes what was written since its `Begin`, including the order
    /// of entries.
    RollBack,
}

/// A store of external tables. The suite [`conformance`] is its contract, which every implementation must
/// pass.
///
/// Iteration is in order of insertion: an overwritten entry keeps its place, one that is removed and set
/// again goes to the end. A store answers at once; it cannot wait for data to be loaded.
///
/// # Errors
/// Every method may return a [`StoreError`], and has changed nothing then.
pub trait TableStore {
    /// Opens the table of that name, and creates it if it is missing. The same name gives the same id until
    /// the table is dropped. A name is 1 to 1024 bytes of UTF-8.
    fn open(&mut self, name: &[u8]) -> Result<TableId, StoreError>;
    /// Appends the value of `key` to `out`. Returns false if there is no such key.
    fn get(&mut self, table: TableId, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError>;
    /// True if the table has an entry with this key.
    fn contains(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError>;
    /// Adds or overwrites an entry.
    fn set(&mut self, table: TableId, key: &[u8], value: &[u8]) -> Result<(), StoreError>;
    /// Removes an entry. Returns false if there was none.
    fn remove(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError>;
    /// Appends the entries after the cursor `after`, each as cursor (f64, little endian), key, value: at
    /// least one, and then as many as stay within `room` bytes in total. Returns false, and appends nothing,
    /// if no entry follows.
    fn next(
        &mut self,
        table: TableId,
        after: Cursor,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, StoreError>;
    /// Number of entries.
    fn count(&mut self, table: TableId) -> Result<u64, StoreError>;
    /// Removes all entries.
    fn clear(&mut self, table: TableId) -> Result<(), StoreError>;
    /// Removes the table of that name. Its id gives [`StoreError::Closed`] from then on, unless the table
    /// comes back by a roll back. Returns false if there is no such table.
    fn drop_table(&mut self, name: &[u8]) -> Result<bool, StoreError>;
    /// Appends the names of all tables, in order of their creation, as an encoded list of strings.
    fn names(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError>;
    /// Begins, commits or rolls back a transaction; transactions nest. If a commit or roll back fails, the
    /// transaction is still open.
    fn transaction(&mut self, what: Transaction) -> Result<(), StoreError>;
    /// Ends the batch: everything written since the last call is to be committed as a whole. Called at the
    /// end of each eval. Transactions that are still open are rolled back.
    fn end_batch(&mut self) -> Result<(), StoreError>;
}

impl fmt::Debug for dyn TableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn TableStore")
    }
}

/// The reason why a store refused an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The table was dropped, or the store is closed.
    Closed,
    /// The store was opened for reading.
    ReadOnly,
    /// The key, value or table is too large for the store.
    TooLarge,
    /// The store has no room for more.
    Full,
    /// The answer does not fit in the memory of the VM.
    OutOfMemory,
    /// The name is not 1 to 1024 bytes of UTF-8.
    Name,
    /// A commit or roll back without an open transaction.
    NoTransaction,
    /// The host behind the store failed, with its message.
    Host(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Closed => f.write_str("external table was dropped or its store is closed"),
            StoreError::ReadOnly => f.write_str("store is read-only"),
            StoreError::OutOfMemory => f.write_str("not enough memory"),
            StoreError::TooLarge => f.write_str("too large for the store"),
            StoreError::Full => f.write_str("the store is full"),
            StoreError::Name => f.write_str("name of an external table must be 1 to 1024 bytes of UTF-8"),
            StoreError::NoTransaction => f.write_str("no transaction is open"),
            StoreError::Host(message) => write!(f, "store failed: {message}"),
        }
    }
}

impl std::error::Error for StoreError {}
