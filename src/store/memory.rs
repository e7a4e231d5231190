//! A store in Rust's memory: for tests, for native programs that persist by other means, and as the reference
//! for other implementations.

use super::{Cursor, StoreError, TableId, TableStore, Transaction};
use crate::limits::NAME_BYTES_MAX;
use crate::value::Encoder;
use std::collections::{BTreeMap, HashMap};

/// Bytes that an entry or a table counts beside its texts: about what the maps take for it.
const OVERHEAD_BYTES: usize = 160;

/// A store that keeps external tables in memory, as long as it lives itself.
///
/// It has a limit, [`MemoryStore::DEFAULT_BYTES`] unless [`MemoryStore::with_limit`] says another: past it,
/// writes fail with [`StoreError::Full`]. What open transactions may have to give back counts, too.
#[derive(Debug)]
pub struct MemoryStore {
    limit_bytes: usize,
    /// Bytes of all tables, and of what the journals keep, about.
    bytes: usize,
    tables: BTreeMap<TableId, Contents>,
    ids: HashMap<Vec<u8>, TableId>,
    last_id: u32,
    /// A list of undo steps for each open transaction, the innermost last.
    journals: Vec<Vec<Undo>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore::with_limit(MemoryStore::DEFAULT_BYTES)
    }
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

impl Contents {
    /// Bytes that it takes, about.
    fn bytes(&self) -> usize {
        let entries = self.entries.values().map(|(key, value)| entry_bytes(key, value));
        OVERHEAD_BYTES + self.name.len() + entries.sum::<usize>()
    }
}

/// Bytes that an entry takes, about: its key is in two maps.
fn entry_bytes(key: &[u8], value: &[u8]) -> usize {
    OVERHEAD_BYTES + 2 * key.len() + value.len()
}

impl Undo {
    /// Bytes that it keeps from being freed, about.
    fn bytes(&self) -> usize {
        OVERHEAD_BYTES
            + match self {
                Undo::Added(..) | Undo::Opened(_) => 0,
                Undo::Changed(_, _, old) => old.len(),
                Undo::Removed(_, _, key, value) => entry_bytes(key, value),
                Undo::Cleared(_, old) | Undo::Dropped(_, old) => old.bytes(),
            }
    }
}

impl MemoryStore {
    /// Limit of a store that was given none, in bytes: 256 MiB.
    pub const DEFAULT_BYTES: usize = 256 * 1024 * 1024;

    /// Makes an empty store.
    pub fn new() -> Self {
        MemoryStore::default()
    }

    /// Makes an empty store that takes this many bytes of memory at most, about; `usize::MAX`: no limit.
    pub fn with_limit(limit_bytes: usize) -> Self {
        MemoryStore {
            limit_bytes,
            bytes: 0,
            tables: BTreeMap::new(),
            ids: HashMap::new(),
            last_id: 0,
            journals: Vec::new(),
        }
    }

    /// Bytes of memory that it takes, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Fails when it would take more than it may.
    fn check_room(&self, more: usize) -> Result<(), StoreError> {
        if self.bytes.saturating_add(more) > self.limit_bytes { Err(StoreError::Full) } else { Ok(()) }
    }

    /// Counts that something took `before` bytes, and takes `after`.
    fn count_bytes(&mut self, before: usize, after: usize) {
        self.bytes = (self.bytes + after).saturating_sub(before);
    }

    fn contents(&mut self, table: TableId) -> Result<&mut Contents, StoreError> {
        self.tables.get_mut(&table).ok_or(StoreError::Closed)
    }

    fn note(&mut self, undo: Undo) {
        if self.journals.is_empty() {
            return;
        }
        self.count_bytes(0, undo.bytes());
        if let Some(journal) = self.journals.last_mut() {
            journal.push(undo);
        }
    }

    fn take_back(&mut self, undo: Undo) {
        self.count_bytes(undo.bytes(), 0);
        match undo {
            Undo::Added(table, place) => {
                if let Some(contents) = self.tables.get_mut(&table)
                    && let Some((key, value)) = contents.entries.remove(&place)
                {
                    contents.places.remove(&key);
                    self.count_bytes(entry_bytes(&key, &value), 0);
                }
            }
            Undo::Changed(table, place, old) => {
                if let Some(entry) = self.tables.get_mut(&table).and_then(|c| c.entries.get_mut(&place)) {
                    let (before, after) = (entry.1.len(), old.len());
                    entry.1 = old;
                    self.count_bytes(before, after);
                }
            }
            Undo::Removed(table, place, key, value) => {
                self.count_bytes(0, entry_bytes(&key, &value));
                if let Some(contents) = self.tables.get_mut(&table) {
                    contents.places.insert(key.clone(), place);
                    contents.entries.insert(place, (key, value));
                }
            }
            Undo::Cleared(table, mut old) => {
                // A cursor is never given to two entries: an iterator may still hold one from before.
                if let Some(contents) = self.tables.get(&table) {
                    old.last_place = contents.last_place;
                    self.count_bytes(contents.bytes(), 0);
                }
                self.count_bytes(0, old.bytes());
                self.tables.insert(table, old);
            }
            Undo::Dropped(table, old) => {
                self.count_bytes(0, old.bytes());
                self.ids.insert(old.name.clone(), table);
                self.tables.insert(table, old);
            }
            Undo::Opened(table) => {
                if let Some(contents) = self.tables.remove(&table) {
                    self.ids.remove(&contents.name);
                    self.count_bytes(contents.bytes(), 0);
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
        let contents = Contents { name: name.to_vec(), ..Contents::default() };
        let bytes = contents.bytes();
        self.check_room(bytes + OVERHEAD_BYTES)?;
        let id = TableId(self.last_id);
        self.last_id += 1;
        self.ids.insert(name.to_vec(), id);
        self.tables.insert(id, contents);
        self.count_bytes(0, bytes);
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
        let known = self.contents(table)?.places.get(key).copied();
        // What was there stays, or may stay until the transaction ends.
        let more = if known.is_some() { value.len() } else { entry_bytes(key, value) };
        self.check_room(more)?;
        let contents = self.contents(table)?;
        let undo = if let Some((place, entry)) =
            known.and_then(|place| Some((place, contents.entries.get_mut(&place)?)))
        {
            let old = std::mem::replace(&mut entry.1, value.to_vec());
            self.count_bytes(old.len(), value.len());
            Undo::Changed(table, place, old)
        } else {
            contents.last_place += 1;
            let place = contents.last_place;
            contents.places.insert(key.to_vec(), place);
            contents.entries.insert(place, (key.to_vec(), value.to_vec()));
            self.count_bytes(0, more);
            Undo::Added(table, place)
        };
        self.note(undo);
        Ok(())
    }

    fn remove(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError> {
        let contents = self.contents(table)?;
        let Some(place) = contents.places.remove(key) else { return Ok(false) };
        let Some((key, value)) = contents.entries.remove(&place) else { return Ok(false) };
        self.count_bytes(entry_bytes(&key, &value), 0);
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
        let after = empty.bytes();
        let old = std::mem::replace(contents, empty);
        self.count_bytes(old.bytes(), after);
        self.note(Undo::Cleared(table, old));
        Ok(())
    }

    fn drop_table(&mut self, name: &[u8]) -> Result<bool, StoreError> {
        let Some(id) = self.ids.remove(name) else { return Ok(false) };
        if let Some(old) = self.tables.remove(&id) {
            self.count_bytes(old.bytes(), 0);
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
            (_, None) => self.count_bytes(journal.iter().map(Undo::bytes).sum(), 0),
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
    use super::{MemoryStore, StoreError, TableStore, Transaction};

    #[test]
    fn keeps_the_contract() {
        super::super::conformance::check_table_store(|| Box::new(MemoryStore::new()));
    }

    /// Random operations: what it says that it takes is what it takes, and within the limit, but for what is
    /// noted of a change that needed no room.
    #[test]
    fn counts_what_it_keeps() {
        const LIMIT: usize = 100_000;
        let mut state = 1_u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let mut full = 0;
        for _ in 0..200 {
            let mut store = MemoryStore::with_limit(LIMIT);
            let mut depth = 0;
            for _ in 0..300 {
                let name = [b't', b'0' + random(4) as u8];
                let key = [b'k', b'0' + random(8) as u8];
                let value = vec![b'v'; random(6000) as usize];
                let result = store.open(&name).and_then(|table| match random(20) {
                    0..9 => store.set(table, &key, &value),
                    9..12 => store.remove(table, &key).map(drop),
                    12..14 => store.clear(table),
                    14 => store.drop_table(&name).map(drop),
                    15 | 16 => {
                        depth += 1;
                        store.transaction(Transaction::Begin)
                    }
                    17 if depth > 0 => {
                        depth -= 1;
                        store.transaction(Transaction::Commit)
                    }
                    18 if depth > 0 => {
                        depth -= 1;
                        store.transaction(Transaction::RollBack)
                    }
                    19 if random(4) == 0 => {
                        depth = 0;
                        store.end_batch()
                    }
                    _ => Ok(()),
                });
                assert!(matches!(result, Ok(()) | Err(StoreError::Full)), "{result:?}");
                full += u32::from(result.is_err());
                let tables: usize = store.tables.values().map(super::Contents::bytes).sum();
                let journals: usize = store.journals.iter().flatten().map(super::Undo::bytes).sum();
                assert_eq!(store.bytes(), tables + journals);
                assert!(store.bytes() < 2 * LIMIT, "{}", store.bytes());
            }
        }
        assert!(full > 100);
    }
}
