//! The store that JavaScript implements: its Maps, reached by numbers through host imports.

use super::imports;
use crate::store::{Cursor, StoreError, TableId, TableStore, Transaction};

/// Room offered at first for what comes back; more only when the answer says so.
const ROOM_BYTES: usize = 256;

/// A store that JavaScript attached under this number.
#[derive(Debug)]
pub struct JsStore {
    id: u32,
}

impl JsStore {
    /// The store that JavaScript attached as `id`.
    pub fn new(id: u32) -> Self {
        JsStore { id }
    }
}

impl TableStore for JsStore {
    fn open(&mut self, name: &[u8]) -> Result<TableId, StoreError> {
        checked(imports::table_open(self.id, name.as_ptr(), name.len())).map(|id| TableId(id as u32))
    }

    fn get(&mut self, table: TableId, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        let found = receive(out, ROOM_BYTES, |at, room| {
            imports::table_get(table.0, key.as_ptr(), key.len(), at, room)
        })?;
        Ok(found.is_some())
    }

    fn contains(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError> {
        match imports::table_get(table.0, key.as_ptr(), key.len(), std::ptr::null_mut(), 0) {
            ABSENT => Ok(false),
            code => checked(code).map(|_| true),
        }
    }

    fn set(&mut self, table: TableId, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let code = imports::table_set(table.0, key.as_ptr(), key.len(), value.as_ptr(), value.len());
        checked(code).map(drop)
    }

    fn remove(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError> {
        checked(imports::table_remove(table.0, key.as_ptr(), key.len())).map(|removed| removed == 1)
    }

    #[allow(clippy::cast_precision_loss, reason = "a table never sees 2^53 insertions")]
    fn next(
        &mut self,
        table: TableId,
        after: Cursor,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, StoreError> {
        let read = receive(out, room, |at, room| imports::table_next(table.0, after as f64, at, room))?;
        Ok(read.is_some_and(|len| len > 0))
    }

    fn count(&mut self, table: TableId) -> Result<u64, StoreError> {
        let count = imports::table_count(table.0);
        if count < 0.0 { Err(refusal(count as i32)) } else { Ok(count as u64) }
    }

    fn clear(&mut self, table: TableId) -> Result<(), StoreError> {
        checked(imports::table_clear(table.0)).map(drop)
    }

    fn drop_table(&mut self, name: &[u8]) -> Result<bool, StoreError> {
        checked(imports::table_drop(self.id, name.as_ptr(), name.len())).map(|dropped| dropped == 1)
    }

    fn names(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        receive(out, ROOM_BYTES, |at, room| imports::table_names(self.id, at, room)).map(drop)
    }

    fn transaction(&mut self, what: Transaction) -> Result<(), StoreError> {
        let op = match what {
            Transaction::Begin => 0,
            Transaction::Commit => 1,
            Transaction::RollBack => 2,
        };
        checked(imports::transaction(self.id, op)).map(drop)
    }

    fn end_batch(&mut self) -> Result<(), StoreError> {
        checked(imports::end_batch(self.id)).map(drop)
    }
}

const ABSENT: i32 = -1;

/// Lets `call` write behind the end of `out`; a second time with more room when the first was not enough.
/// `None` when it says absent.
fn receive(
    out: &mut Vec<u8>,
    room: usize,
    mut call: impl FnMut(*mut u8, usize) -> i32,
) -> Result<Option<usize>, StoreError> {
    let mut room = room;
    loop {
        out.try_reserve(room).map_err(|_| StoreError::OutOfMemory)?;
        let code = call(out.spare_capacity_mut().as_mut_ptr().cast(), room);
        if code == ABSENT {
            return Ok(None);
        }
        let len = checked(code)? as usize;
        if len <= room {
            // SAFETY: JavaScript wrote `len` bytes there, and the memory was reserved.
            unsafe { out.set_len(out.len() + len) };
            return Ok(Some(len));
        }
        room = len;
    }
}

fn checked(code: i32) -> Result<i32, StoreError> {
    if code < 0 { Err(refusal(code)) } else { Ok(code) }
}

#[cold]
fn refusal(code: i32) -> StoreError {
    match code {
        -2 => StoreError::Closed,
        -3 => StoreError::ReadOnly,
        -4 => StoreError::TooLarge,
        -6 => StoreError::Name,
        _ => StoreError::Host(message()),
    }
}

/// Message of the last failure, which JavaScript keeps; shortened rather than failing for want of memory.
fn message() -> String {
    let mut text = Vec::new();
    let received = receive(&mut text, ROOM_BYTES, imports::store_error);
    match received {
        Ok(Some(_)) => String::from_utf8(text).unwrap_or_default(),
        _ => String::new(),
    }
}
