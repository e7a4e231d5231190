//! A store in Rust's memory: for tests, for native programs that persist by other means, and as the reference
//! for other implementations.

use super::{Cursor, StoreError, TableId, TableStore, Transaction};
use crate::limits::NAME_BYTES_MAX;
use crate::value::Encoder;
use std::collections::{BTreeMap, HashMap};

/// A store that keeps external tables in memory, as long as it lives itself.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: BTreeMap<TableId, Contents>,
    ids: HashMap<Vec<u8>, TableId>,
    last_id: u32,
    /// A list of undo steps for each open transaction, the innermost last.
    journals: Vec<Vec<Undo>>,
}

#[derive(Debug, Default)]
struct Contents {
    name: Vec<u8>,
    places: HashMap<Vec<u8>, Cursor>,
    entries: BTreeMap<Cursor, (Vec<u8>, Vec<u8>)>,
    last_place: Cursor,
}

/// The step that undoes one change.
#[derive(Debug)]
enum Undo {
    Added(TableId, Cursor),
    Changed(TableId, Cursor, Vec<u8>),
    Removed(TableId, Cursor, Vec<u8>, Vec<u8>),
    Cleared(TableId, Contents),
    Dropped(TableId, Contents),
    Opened(TableId),
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        MemoryStore::default()
    }

    fn contents(&mut self, table: TableId) -> Result<&mut Contents, StoreError> {
        self.tables.get_mut(&table).ok_or(StoreError::Closed)
    }

    fn note(&mut self, undo: Undo) {
        if let Some(journal) = self.journals.last_mut() {
            journal.push(undo);
        }
    }

    fn take_back(&mut self, undo: Undo) {
        match undo {
            Undo::Added(table, place) => {
                if let Some(contents) = self.tables.get_mut(&table)
                    && let Some((key, _)) = contents.entries.remove(&place)
                {
                    contents.places.remove(&key);
                }
            }
            Undo::Changed(table, place, old) => {
                if let Some(entry) = self.tables.get_mut(&table).and_then(|c| c.entries.get_mut(&place)) {
                    entry.1 = old;
                }
            }
            Undo::Removed(table, place, key, value) => {
                if let Some(contents) = self.tables.get_mut(&table) {
                    contents.places.insert(key.clone(), place);
                    contents.entries.insert(place, (key, value));
                }
            }
            Undo::Cleared(table, mut old) => {
                // A cursor is never given to two entries: an iterator may still hold one from before.
                if let Some(contents) = self.tables.get(&table) {
                    old.last_place = contents.last_place;
                }
                self.tables.insert(table, old);
            }
            Undo::Dropped(table, old) => {
                self.ids.insert(old.name.clone(), table);
                self.tables.insert(table, old);
            }
            Undo::Opened(table) => {
                if let Some(contents) = self.tables.remove(&table) {
                    self.ids.remove(&contents.name);
                }
            }
        }
    }
}

impl TableStore for MemoryStore {
    fn open(&mut self, name: &[u8]) -> Result<TableId, StoreError> {
        if let Some(&id) = self.ids.get(name) {
            return Ok(id);
        }
        if name.is_empty() || name.len() > NAME_BYTES_MAX || std::str::from_utf8(name).is_err() {
            return Err(StoreError::Name);
        }
        let id = TableId(self.last_id);
        self.last_id += 1;
        self.ids.insert(name.to_vec(), id);
        self.tables.insert(id, Contents { name: name.to_vec(), ..Contents::default() });
        self.note(Undo::Opened(id));
        Ok(id)
    }

    fn get(&mut self, table: TableId, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        let contents = self.contents(table)?;
        let Some((_, value)) = contents.places.get(key).and_then(|place| contents.entries.get(place)) else {
            return Ok(false);
        };
        out.try_reserve(value.len()).map_err(|_| StoreError::OutOfMemory)?;
        out.extend_from_slice(value);
        Ok(true)
    }

    fn contains(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.contents(table)?.places.contains_key(key))
    }

    fn set(&mut self, table: TableId, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let contents = self.contents(table)?;
        let undo = if let Some((&place, entry)) =
            contents.places.get(key).and_then(|place| Some((place, contents.entries.get_mut(place)?)))
        {
            Undo::Changed(table, place, std::mem::replace(&mut entry.1, value.to_vec()))
        } else {
            contents.last_place += 1;
            let place = contents.last_place;
            contents.places.insert(key.to_vec(), place);
            contents.entries.insert(place, (key.to_vec(), value.to_vec()));
            Undo::Added(table, place)
        };
        self.note(undo);
        Ok(())
    }

    fn remove(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError> {
        let contents = self.contents(table)?;
        let Some(place) = contents.places.remove(key) else { return Ok(false) };
        let Some((key, value)) = contents.entries.remove(&place) else { return Ok(false) };
        self.note(Undo::Removed(table, place, key, value));
        Ok(true)
    }

    fn next(
        &mut self,
        table: TableId,
        after: Cursor,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, StoreError> {
        let contents = self.contents(table)?;
        let (start, mut any) = (out.len(), false);
        for (&place, (key, value)) in contents.entries.range(after + 1..) {
            let needed = 8 + key.len() + value.len();
            if any && out.len() - start + needed > room {
                break;
            }
            out.try_reserve(needed).map_err(|_| StoreError::OutOfMemory)?;
            #[allow(clippy::cast_precision_loss, reason = "a table never sees 2^53 insertions")]
            out.extend_from_slice(&(place as f64).to_le_bytes());
            out.extend_from_slice(key);
            out.extend_from_slice(value);
            any = true;
        }
        Ok(any)
    }

    fn count(&mut self, table: TableId) -> Result<u64, StoreError> {
        Ok(self.contents(table)?.entries.len() as u64)
    }

    fn clear(&mut self, table: TableId) -> Result<(), StoreError> {
        let contents = self.contents(table)?;
        let empty =
            Contents { name: contents.name.clone(), last_place: contents.last_place, ..Contents::default() };
        let old = std::mem::replace(contents, empty);
        self.note(Undo::Cleared(table, old));
        Ok(())
    }

    fn drop_table(&mut self, name: &[u8]) -> Result<bool, StoreError> {
        let Some(id) = self.ids.remove(name) else { return Ok(false) };
        if let Some(old) = self.tables.remove(&id) {
            self.note(Undo::Dropped(id, old));
        }
        Ok(true)
    }

    fn names(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let mut encoder = Encoder::new(out);
        encoder.u32(self.tables.len() as u32).map_err(|_| StoreError::OutOfMemory)?;
        let mut names = self.tables.values().map(|contents| &contents.name);
        names.try_for_each(|name| encoder.string(name).map_err(|_| StoreError::OutOfMemory))
    }

    fn transaction(&mut self, what: Transaction) -> Result<(), StoreError> {
        if what == Transaction::Begin {
            self.journals.push(Vec::new());
            return Ok(());
        }
        let journal = self.journals.pop().ok_or(StoreError::NoTransaction)?;
        match (what, self.journals.last_mut()) {
            (Transaction::RollBack, _) => journal.into_iter().rev().for_each(|undo| self.take_back(undo)),
            (_, Some(outer)) => outer.extend(journal),
            (_, None) => {}
        }
        Ok(())
    }

    fn end_batch(&mut self) -> Result<(), StoreError> {
        while !self.journals.is_empty() {
            self.transaction(Transaction::RollBack)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn keeps_the_contract() {
        super::super::conformance::check_table_store(|| Box::new(super::MemoryStore::new()));
    }
}
