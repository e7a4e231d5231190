//! Where external tables live: outside the VM, behind [`TableStore`]. Keys and values are encoded values
//! (docs/codec.md); a store compares keys as bytes and does not look inside either.

pub use self::memory::MemoryStore;
use std::fmt;

pub mod conformance;
mod memory;

/// Names an open table of one store; never reused by it, not even when the opening is rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u32);

/// A place before, between or after the entries of a table; grows in iteration order. 0 is before the first. It is never given
/// out twice, so it stays a place whatever happens to its entry: new entries come after it, also when some were rolled back.
pub type Cursor = u64;

/// A transaction's fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// Opens one, inside the current one if there is one.
    Begin,
    /// Keeps what was written since the matching `Begin`.
    Commit,
    /// Takes back what was written since the matching `Begin`, order included.
    RollBack,
}

/// Contents of external tables. The contract is [`conformance`]; every implementation runs it.
///
/// Iteration is in order of insertion: an overwritten entry keeps its place, one removed and set again goes to the end.
/// A store does not wait: what it cannot answer at once it must have loaded before.
pub trait TableStore {
    /// The table of that name, made if missing. The same name gives the same id, until it is dropped. A name is 1 to 1024
    /// bytes of UTF-8.
    fn open(&mut self, name: &[u8]) -> Result<TableId, StoreError>;
    /// Appends the value to `out`; false when there is no such key.
    fn get(&mut self, table: TableId, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError>;
    /// Is there such a key?
    fn contains(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError>;
    /// Adds or overwrites an entry.
    fn set(&mut self, table: TableId, key: &[u8], value: &[u8]) -> Result<(), StoreError>;
    /// Removes an entry; false when there was none.
    fn remove(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError>;
    /// Appends the entries after `after`, each as cursor (f64, little endian), key, value: at least one unless the table
    /// is at its end, and then as many as stay within `room` bytes. False at the end.
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
    /// Removes the table; its id is dead from then on, unless a roll back brings the table back. False when there is none.
    fn drop_table(&mut self, name: &[u8]) -> Result<bool, StoreError>;
    /// Appends the names of all tables, in order of their creation, as an encoded list of strings.
    fn names(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError>;
    /// Begins, commits or rolls back; they nest. A call that fails has changed nothing: the transaction is still open.
    fn transaction(&mut self, what: Transaction) -> Result<(), StoreError>;
    /// An eval is over: what was written since the last call is one batch, to be committed as a whole. Transactions that are
    /// still open are rolled back.
    fn end_batch(&mut self) -> Result<(), StoreError>;
}

impl fmt::Debug for dyn TableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn TableStore")
    }
}

/// A store refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The table was dropped, or the store is closed.
    Closed,
    /// The store was opened for reading.
    ReadOnly,
    /// Too large for it.
    TooLarge,
    /// There is no memory in the VM for what it holds.
    OutOfMemory,
    /// No table can have this name.
    Name,
    /// A commit or roll back without a begin.
    NoTransaction,
    /// What the host behind it says.
    Host(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Closed => f.write_str("external table was dropped or its store is closed"),
            StoreError::ReadOnly => f.write_str("store is read-only"),
            StoreError::OutOfMemory => f.write_str("not enough memory"),
            StoreError::TooLarge => f.write_str("too large for the store"),
            StoreError::Name => f.write_str("name of an external table must be 1 to 1024 bytes of UTF-8"),
            StoreError::NoTransaction => f.write_str("no transaction is open"),
            StoreError::Host(message) => write!(f, "store failed: {message}"),
        }
    }
}

impl std::error::Error for StoreError {}
