//! The preupdate hook: keeps the first image of each row, and the last one.

use super::image::{self, Key, Row};
use super::{After, CAPTURED_BYTES_MAX, State, Touched};
use crate::catalog::{KeyColumns, Table};
use crate::conn::Conn;
use rusqlite::ffi;
use rusqlite::types::ValueRef;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::rc::Rc;
use std::slice;

/// Sets the hook of a connection.
pub(super) fn set(conn: &Conn, state: &State) {
    // SAFETY: the state is boxed, and its owner outlives the connection (the field order of `Database`), so
    // the address is good whenever SQLite calls. All of it is `Cell`s, so shared access is enough.
    unsafe {
        ffi::sqlite3_preupdate_hook(conn.handle(), Some(preupdate), ptr::from_ref(state).cast_mut().cast());
    }
}

/// Takes the hook of a connection away. [`set`] sets it again.
pub(super) fn unset(conn: &Conn) {
    // SAFETY: SQLite takes NULL for no hook.
    unsafe {
        ffi::sqlite3_preupdate_hook(conn.handle(), None, ptr::null_mut());
    }
}

/// Entry of SQLite before a row is inserted, updated or deleted.
///
/// # Safety
/// SQLite calls it with the state that `set` gave, the connection in the middle of a change, and names that
/// end with NUL.
unsafe extern "C" fn preupdate(
    state: *mut c_void,
    sqlite: *mut ffi::sqlite3,
    operation: c_int,
    database: *const c_char,
    name: *const c_char,
    rowid_before: i64,
    rowid_after: i64,
) {
    // SAFETY: see `set`.
    let state = unsafe { &*state.cast::<State>() };
    // SAFETY: SQLite's names end with NUL.
    if !state.on.get() || unsafe { CStr::from_ptr(database) } != c"main" {
        return;
    }
    // SAFETY: as above.
    let Some(table) = table(state, unsafe { CStr::from_ptr(name) }) else { return };
    let change = Change { state, sqlite, table };
    if operation != ffi::SQLITE_INSERT {
        change.leave(rowid_before);
    }
    if operation != ffi::SQLITE_DELETE {
        change.arrive(rowid_after);
    }
}

/// The table of a name; `None` if its rows are not captured. SQLite gives the same address for the same
/// table, most of the time.
fn table(state: &State, name: &CStr) -> Option<Rc<Table>> {
    let address = name.as_ptr().addr();
    let mut last = state.last.borrow_mut();
    if let Some((known, table)) = &*last
        && *known == address
        && table.storage.as_bytes() == name.to_bytes()
    {
        return Some(Rc::clone(table));
    }
    let catalog = state.catalog.borrow();
    let table = catalog.by_storage(name.to_str().ok()?)?;
    *last = Some((address, Rc::clone(table)));
    Some(Rc::clone(table))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

struct Change<'a> {
    state: &'a State,
    sqlite: *mut ffi::sqlite3,
    table: Rc<Table>,
}

impl Change<'_> {
    /// Keeps the row before the change, unless the transaction has touched it before, and that it is gone.
    fn leave(&self, rowid: i64) {
        let Some(key) = self.key(Side::Before, rowid) else { return };
        let mut journal = self.state.journal.borrow_mut();
        if let Some(place) = journal.place(self.table.id, &key) {
            journal.rows[place].after = After::Gone;
            return;
        }
        let before = self.image(Side::Before);
        let rowid = (before.is_some() && self.table.rowid.is_some()).then_some(rowid);
        let table = Rc::clone(&self.table);
        journal.rows.push(Touched { table, key, rowid, before, after: After::Gone });
    }

    /// Keeps the row after the change.
    fn arrive(&self, rowid: i64) {
        let Some(key) = self.key(Side::After, rowid) else { return };
        let mut journal = self.state.journal.borrow_mut();
        let after = if journal.is_uncertain {
            After::Unknown
        } else {
            let rowid = self.table.rowid.is_some().then_some(rowid);
            self.image(Side::After).map_or(After::Unknown, |row| After::There(rowid, row))
        };
        if let Some(place) = journal.place(self.table.id, &key) {
            journal.rows[place].after = after;
            return;
        }
        // A row that was not there: its key was free.
        journal.rows.push(Touched { table: Rc::clone(&self.table), key, rowid: None, before: None, after });
    }

    fn key(&self, side: Side, rowid: i64) -> Option<Key> {
        let KeyColumns::Declared(indices) = &self.table.key else { return Some(Key::Rowid(rowid)) };
        let mut bytes = self.state.scratch.borrow_mut();
        bytes.clear();
        for &index in indices {
            let column = &self.table.columns[index];
            match self.value(side, column.position)? {
                ValueRef::Null if self.table.rowid.is_some() => return Some(Key::Rowid(rowid)),
                value => image::push_stored(&mut bytes, value, column.affinity),
            }
        }
        self.kept(&bytes).map(Key::Declared)
    }

    /// The row on one side of the change.
    fn image(&self, side: Side) -> Option<Row> {
        let mut bytes = self.state.scratch.borrow_mut();
        bytes.clear();
        for column in &self.table.columns {
            if column.is_virtual {
                image::push_missing(&mut bytes);
                continue;
            }
            image::push_stored(&mut bytes, self.value(side, column.position)?, column.affinity);
        }
        Some(Row { table: Rc::clone(&self.table), bytes: self.kept(&bytes)? })
    }

    /// Bytes to be kept until the end of the transaction; `None` if there is no room for them.
    fn kept(&self, bytes: &[u8]) -> Option<Rc<[u8]>> {
        let all = self.state.bytes.get() + bytes.len();
        if all > CAPTURED_BYTES_MAX {
            self.state.failure.set(Some(ffi::SQLITE_NOMEM));
            return None;
        }
        self.state.bytes.set(all);
        Some(bytes.into())
    }

    /// A value of one side of the change. `None` if it cannot be read: the transaction fails then at its end.
    fn value(&self, side: Side, position: i32) -> Option<ValueRef<'_>> {
        let mut value = ptr::null_mut();
        // SAFETY: only called from within the hook, on the connection that called it, for a side that the
        // change has.
        let result = unsafe {
            match side {
                Side::Before => ffi::sqlite3_preupdate_old(self.sqlite, position, &raw mut value),
                Side::After => ffi::sqlite3_preupdate_new(self.sqlite, position, &raw mut value),
            }
        };
        if result != ffi::SQLITE_OK || value.is_null() {
            self.state.failure.set(Some(if result == ffi::SQLITE_OK { ffi::SQLITE_NOMEM } else { result }));
            return None;
        }
        // SAFETY: SQLite keeps the value until the hook returns.
        unsafe { self.read(value) }
    }

    /// Reads a value.
    ///
    /// # Safety
    /// The value must stay as it is until the hook returns.
    unsafe fn read(&self, value: *mut ffi::sqlite3_value) -> Option<ValueRef<'_>> {
        // SAFETY: the value is SQLite's, and alive. The pointer of a text or blob is good for as many bytes
        // as it says until the value is converted or freed, neither of which happens before the hook returns;
        // it is NULL for a length of 0, and if there was no memory for it.
        unsafe {
            Some(match ffi::sqlite3_value_type(value) {
                ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_value_int64(value)),
                ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_value_double(value)),
                ffi::SQLITE_TEXT => {
                    let start = ffi::sqlite3_value_text(value);
                    ValueRef::Text(self.slice(start, ffi::sqlite3_value_bytes(value))?)
                }
                ffi::SQLITE_BLOB => {
                    let start = ffi::sqlite3_value_blob(value);
                    ValueRef::Blob(self.slice(start.cast(), ffi::sqlite3_value_bytes(value))?)
                }
                _ => ValueRef::Null,
            })
        }
    }

    /// Bytes of a value.
    ///
    /// # Safety
    /// Unless it is NULL, the pointer must be good for `length` bytes until the hook returns.
    unsafe fn slice(&self, start: *const u8, length: c_int) -> Option<&[u8]> {
        if length == 0 {
            return Some(&[]);
        }
        if start.is_null() {
            self.state.failure.set(Some(ffi::SQLITE_NOMEM));
            return None;
        }
        // SAFETY: see above.
        Some(unsafe { slice::from_raw_parts(start, length as usize) })
    }
}
