//! The tree form of Lua values, for Rust programs. Tables are shared and may be cyclic, as in Lua.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

/// A Lua value outside any VM.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// nil
    #[default]
    Nil,
    /// A boolean.
    Boolean(bool),
    /// A 64-bit integer. Never equal to a [`Value::Float`] in Rust, although `1 == 1.0` in Lua.
    Integer(i64),
    /// A 64-bit float.
    Float(f64),
    /// A string of any bytes, which need not be text.
    String(Vec<u8>),
    /// A table, by reference: clones share it.
    Table(Table),
    /// An external table (`ext.table`), by name.
    ExternalTable(Vec<u8>),
    /// A Lua function that the runtime holds under this handle, for `Vm::call_handle`.
    Function(u32),
    /// A userdata or thread that the runtime holds under this handle.
    Reference {
        /// `LUA_TUSERDATA` (7), `LUA_TTHREAD` (8) or `LUA_TLIGHTUSERDATA` (2).
        lua_type: u8,
        /// The handle, to be released with `Vm::release`.
        handle: u32,
    },
    /// A function of the host, by id.
    HostFunction {
        /// The id that the host gave it.
        id: u32,
        /// The name; empty in values that come from Lua.
        name: Vec<u8>,
    },
    /// An object of the host, by id: an error, or an object that the host has shared.
    HostObject {
        /// The id that the host gave it.
        id: u32,
        /// The text that `tostring` shows; empty in values that come from Lua.
        label: Vec<u8>,
    },
    /// `json.null`: an explicit nothing, which a table can hold.
    Null,
}

/// A table outside any VM. Equality compares contents, in order; a table is always equal to itself.
///
/// One that is made of a `Vec` is a list, also when that is empty ([`Table::is_list`]): JavaScript and JSON
/// tell `[]` from `{}`.
///
/// Tables are counted references: one that contains itself, directly or not, is freed only after
/// [`Table::dismantle`].
#[derive(Clone, Default)]
pub struct Table(Rc<Shared>);

#[derive(Default)]
struct Shared {
    data: RefCell<TableData>,
    /// True for a list while it is empty; with contents these say what it is.
    list: Cell<bool>,
}

/// The contents of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableData {
    /// Values of the keys 1..n.
    pub array: Vec<Value>,
    /// Entries with all other keys, in the order in which they were added.
    pub pairs: Vec<(Value, Value)>,
}

impl Table {
    /// Makes an empty table.
    pub fn new() -> Self {
        Table::default()
    }

    /// Calls `read` with the contents.
    ///
    /// # Panics
    /// Panics inside [`Table::with_mut`] of the same table.
    pub fn with<R>(&self, read: impl FnOnce(&TableData) -> R) -> R {
        read(&self.0.data.borrow())
    }

    /// Calls `change` with the contents.
    ///
    /// # Panics
    /// Panics inside [`Table::with`] or [`Table::with_mut`] of the same table.
    pub fn with_mut<R>(&self, change: impl FnOnce(&mut TableData) -> R) -> R {
        change(&mut self.0.data.borrow_mut())
    }

    /// The value at `key`, or nil.
    pub fn get(&self, key: &Value) -> Value {
        self.with(|data| {
            if let Value::Integer(index) = key
                && let Some(value) =
                    usize::try_from(*index).ok().and_then(|i| data.array.get(i.checked_sub(1)?))
            {
                return value.clone();
            }
            data.pairs.iter().find(|(k, _)| k == key).map_or(Value::Nil, |(_, value)| value.clone())
        })
    }

    /// True for a table that has the keys 1..n and no others, and for an empty one that was made as a list.
    ///
    /// # Panics
    /// Panics inside [`Table::with_mut`] of the same table.
    pub fn is_list(&self) -> bool {
        self.with(|data| data.pairs.is_empty() && (!data.array.is_empty() || self.0.list.get()))
    }

    /// True if both are one table, not only equal ones.
    pub fn is_same(&self, other: &Table) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Empties this table and every table that can be reached from it, which breaks the cycles among them.
    pub fn dismantle(&self) {
        let mut found = vec![self.clone()];
        while let Some(table) = found.pop() {
            // Emptied before its contents are visited: a table that is met again is empty then.
            let data = table.with_mut(std::mem::take);
            let parts = data.pairs.into_iter().flat_map(|(key, value)| [key, value]).chain(data.array);
            found.extend(parts.filter_map(|part| match part {
                Value::Table(table) => Some(table),
                _ => None,
            }));
        }
    }

    pub(crate) fn address(&self) -> usize {
        Rc::as_ptr(&self.0).addr()
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other)
            || (self.is_list() == other.is_list() && *self.0.data.borrow() == *other.0.data.borrow())
    }
}

impl fmt::Debug for Table {
    /// Formats the contents, or `Table(..)` where the table is being formatted already (cycles).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.data.try_borrow_mut() {
            Ok(data) => data.fmt(f),
            Err(_) => f.write_str("Table(..)"),
        }
    }
}

impl From<TableData> for Table {
    fn from(data: TableData) -> Self {
        Table(Rc::new(Shared { data: RefCell::new(data), list: Cell::new(false) }))
    }
}

impl From<Vec<Value>> for Table {
    /// Makes a list, of values that are not nil.
    fn from(array: Vec<Value>) -> Self {
        let data = TableData { array, pairs: Vec::new() };
        Table(Rc::new(Shared { data: RefCell::new(data), list: Cell::new(true) }))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.as_bytes().to_vec())
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Integer(n)
    }
}

impl From<f64> for Value {
    fn from(n: f64) -> Self {
        Value::Float(n)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Boolean(b)
    }
}

impl From<Table> for Value {
    fn from(table: Table) -> Self {
        Value::Table(table)
    }
}
