//! A store that tests can inspect while a VM uses it, and that can be told to fail.

use perilune::store::{Cursor, TableId, Transaction};
use perilune::value::decode_list;
use perilune::{MemoryStore, StoreError, TableStore, Value};
use std::cell::RefCell;
use std::rc::Rc;

/// A shared handle of one store: clones refer to the same store.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched(Rc<RefCell<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    store: MemoryStore,
    /// Number of calls so far.
    calls: u64,
    fault: Option<Fault>,
    /// True if a call was refused.
    refused: bool,
}

/// The calls that are refused, and their error.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The first refused call, counted from 0.
    pub(crate) first: u64,
    /// Number of refused calls.
    pub(crate) count: u64,
    pub(crate) error: StoreError,
}

/// All tables in order, with all entries in order. A transaction that fails must leave them unchanged.
pub(crate) type Contents = Vec<(Value, Vec<u8>)>;

impl Watched {
    /// Sets the fault, and restarts the counting of calls.
    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        let mut inner = self.0.borrow_mut();
        inner.calls = 0;
        inner.refused = false;
        inner.fault = fault;
    }

    /// True if any call was refused since the fault was set.
    pub(crate) fn refused(&self) -> bool {
        self.0.borrow().refused
    }

    /// All contents, including the cursors, because iterators depend on them.
    pub(crate) fn contents(&self) -> Contents {
        let store = &mut self.0.borrow_mut().store;
        let mut names = Vec::new();
        store.names(&mut names).expect("names");
        let names = decode_list(&names).expect("a list");
        names
            .into_iter()
            .map(|name| {
                let Value::String(bytes) = &name else { panic!("{name:?} is a name") };
                let table = store.open(bytes).expect("is there");
                let mut entries = Vec::new();
                store.next(table, 0, usize::MAX, &mut entries).expect("entries");
                (name, entries)
            })
            .collect()
    }

    /// True if no transaction is open.
    pub(crate) fn is_settled(&self) -> bool {
        self.0.borrow_mut().store.transaction(Transaction::Commit) == Err(StoreError::NoTransaction)
    }

    fn call<R>(&self, run: impl FnOnce(&mut MemoryStore) -> Result<R, StoreError>) -> Result<R, StoreError> {
        let mut inner = self.0.borrow_mut();
        let call = inner.calls;
        inner.calls += 1;
        if let Some(Fault { first, count, error }) = &inner.fault
            && (*first..first.saturating_add(*count)).contains(&call)
        {
            let error = error.clone();
            inner.refused = true;
            return Err(error);
        }
        run(&mut inner.store)
    }
}

impl TableStore for Watched {
    fn open(&mut self, name: &[u8]) -> Result<TableId, StoreError> {
        self.call(|store| store.open(name))
    }

    fn get(&mut self, table: TableId, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        self.call(|store| store.get(table, key, out))
    }

    fn contains(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError> {
        self.call(|store| store.contains(table, key))
    }

    fn set(&mut self, table: TableId, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.call(|store| store.set(table, key, value))
    }

    fn remove(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError> {
        self.call(|store| store.remove(table, key))
    }

    fn next(
        &mut self,
        table: TableId,
        after: Cursor,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, StoreError> {
        self.call(|store| store.next(table, after, room, out))
    }

    fn count(&mut self, table: TableId) -> Result<u64, StoreError> {
        self.call(|store| store.count(table))
    }

    fn clear(&mut self, table: TableId) -> Result<(), StoreError> {
        self.call(|store| store.clear(table))
    }

    fn drop_table(&mut self, name: &[u8]) -> Result<bool, StoreError> {
        self.call(|store| store.drop_table(name))
    }

    fn names(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.call(|store| store.names(out))
    }

    fn transaction(&mut self, what: Transaction) -> Result<(), StoreError> {
        self.call(|store| store.transaction(what))
    }

    fn end_batch(&mut self) -> Result<(), StoreError> {
        self.call(TableStore::end_batch)
    }
}
