//! Steps along tables for `json.encode`, and tables made of values on the stack for `json.decode`: what
//! lua-5.4/port/json.c does.

use super::raw::lua_State;
use super::stack::Stack;
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::{ptr, slice};

/// Kind of a value: `enum perilune_kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The table has no more entries.
    End,
    /// nil, or the address 0.
    Null,
    Boolean(bool),
    Integer,
    Float,
    String,
    /// A value that is no scalar.
    Other,
}

/// An entry of a table, and the position of the walk that found it: `struct perilune_item`.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Item {
    pub(crate) integer: i64,
    pub(crate) number: f64,
    text: *const c_char,
    length: usize,
    key: *const c_char,
    key_length: usize,
    /// Elements or nodes that have been visited.
    pub(crate) at: c_uint,
    kind: c_int,
}

/// Names of metafields and their values: `struct perilune_names`.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Names([*const c_void; 4]);

/// Marks that a metatable gives its table: as an array, as an object, that `__pairs` gives its contents.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks(c_int);

/// Kinds of the keys that a table has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys(c_int);

/// Address of a table that stays on the stack.
pub(crate) type TableAddress = *const c_void;

unsafe extern "C-unwind" {
    fn perilune_json_top(l: *mut lua_State, item: *mut Item);
    fn perilune_json_element(l: *mut lua_State, table: TableAddress, item: *mut Item);
    fn perilune_json_pair(l: *mut lua_State, table: TableAddress, item: *mut Item);
    fn perilune_json_key(l: *mut lua_State, table: TableAddress, at: c_uint);
    fn perilune_json_is_open(l: *mut lua_State, first: c_int, step: c_int, count: c_int) -> c_int;
    fn perilune_json_marks(table: TableAddress, names: *const Names) -> c_int;
    fn perilune_json_keys(l: *mut lua_State, table: TableAddress) -> c_int;
    fn perilune_aside_string(l: *mut lua_State, text: *const c_char, length: usize);
    fn perilune_aside_table(l: *mut lua_State);
    fn perilune_aside_block(l: *mut lua_State, size: usize) -> *mut c_void;
    fn perilune_json_list(l: *mut lua_State, metatable: *const c_void, done: c_uint, count: c_uint);
    fn perilune_json_object(l: *mut lua_State, metatable: *const c_void, count: c_uint);
}

/// One call of json.c. Sound because of the invariant of `Stack`.
macro_rules! call {
    ($f:ident($($arg:expr),*)) => {
        // SAFETY: the state is valid (the promise made to `Stack::new`), tables and values are where the
        // caller says, with a free slot, and no frame up to the protected call holds a destructor if this
        // raises.
        unsafe { $f($($arg),*) }
    };
}

impl Item {
    /// The position before the first entry.
    pub(crate) const START: Item = Item {
        integer: 0,
        number: 0.0,
        text: ptr::null(),
        length: 0,
        key: ptr::null(),
        key_length: 0,
        at: 0,
        kind: 0,
    };

    pub(crate) fn kind(&self) -> Kind {
        match self.kind {
            0 => Kind::End,
            1 => Kind::Null,
            2 => Kind::Boolean(false),
            3 => Kind::Boolean(true),
            4 => Kind::Integer,
            5 => Kind::Float,
            6 => Kind::String,
            _ => Kind::Other,
        }
    }

    /// The string that the value is.
    ///
    /// # Safety
    /// `kind` is `String`, and the slice is valid only as long as the string is in its table or on the stack.
    pub(crate) unsafe fn text<'a>(&self) -> &'a [u8] {
        // SAFETY: C has set both, of the string that the caller keeps.
        unsafe { slice::from_raw_parts(self.text.cast(), self.length) }
    }

    /// The key of the entry.
    ///
    /// # Safety
    /// The last step was one of `json_pair`, which found a pair; the slice is valid as in `text`.
    pub(crate) unsafe fn key<'a>(&self) -> &'a [u8] {
        // SAFETY: C has set both, of the string that the caller keeps.
        unsafe { slice::from_raw_parts(self.key.cast(), self.key_length) }
    }
}

impl Names {
    /// Marks that its metatable gives a table. `[-0, +0, -]`
    pub(crate) fn marks_of(&self, table: TableAddress) -> Marks {
        Marks(call!(perilune_json_marks(table, self)))
    }
}

impl Marks {
    pub(crate) fn array(self) -> bool {
        self.0 & 1 != 0
    }

    pub(crate) fn object(self) -> bool {
        self.0 & 2 != 0
    }

    pub(crate) fn pairs(self) -> bool {
        self.0 & 4 != 0
    }
}

impl Keys {
    /// True if there are integers.
    pub(crate) fn items(self) -> bool {
        self.0 & 1 != 0
    }

    /// True if there are strings.
    pub(crate) fn names(self) -> bool {
        self.0 & 2 != 0
    }

    /// True if the integers are not those from 1 on.
    pub(crate) fn holes(self) -> bool {
        self.0 & 4 != 0
    }

    /// True if there is a float.
    pub(crate) fn float(self) -> bool {
        self.0 & 8 != 0
    }

    /// The type of a key that is neither a string nor a number.
    pub(crate) fn other(self) -> Option<c_int> {
        (self.0 >= 16).then(|| self.0 - 16)
    }
}

impl Stack {
    /// Address of the table at `index`. `[-0, +0, -]`
    pub(crate) fn table_address(self, index: c_int) -> TableAddress {
        self.pointer(index)
    }

    /// The names at these indices, short strings that stay where they are: of the metafields `__pairs` and of
    /// the marker, and of what marks arrays and objects. `[-0, +0, -]`
    pub(crate) fn json_names(self, indices: [c_int; 4]) -> Names {
        Names(indices.map(|index| self.pointer(index)))
    }

    /// Looks at the value on top, which stays there. One free slot is needed. `[-0, +0, -]`
    pub(crate) fn json_top(self, item: &mut Item) {
        call!(perilune_json_top(self.as_ptr(), item));
    }

    /// Advances to the next element of a list, and uses ticks for it. A value that is no scalar is pushed.
    /// `[-0, +(0|1), e]`
    pub(crate) fn json_element(self, table: TableAddress, item: &mut Item) {
        call!(perilune_json_element(self.as_ptr(), table, item));
    }

    /// Advances to the next pair of a table whose keys are strings, and uses ticks for it. A value that is no
    /// scalar is pushed. `[-0, +(0|1), e]`
    pub(crate) fn json_pair(self, table: TableAddress, item: &mut Item) {
        call!(perilune_json_pair(self.as_ptr(), table, item));
    }

    /// Pushes the key at which a walk by `json_pair` stands. `[-0, +1, -]`
    pub(crate) fn push_json_key(self, table: TableAddress, at: c_uint) {
        call!(perilune_json_key(self.as_ptr(), table, at));
    }

    /// True if the table on top is also in one of `count` slots with tables: at `first`, and each `step`
    /// after the one before. Uses ticks for them. `[-0, +0, -]`
    pub(crate) fn json_is_open(self, first: c_int, step: c_int, count: c_int) -> bool {
        call!(perilune_json_is_open(self.as_ptr(), first, step, count)) != 0
    }

    /// Kinds of all keys of a table; uses ticks for them. `[-0, +0, e]`
    pub(crate) fn json_keys(self, table: TableAddress) -> Keys {
        Keys(call!(perilune_json_keys(self.as_ptr(), table)))
    }

    /// `push_bytes` without a step of the collector, and so without finalizers. `[-0, +1, m]`
    pub(crate) fn push_bytes_aside(self, bytes: &[u8]) {
        call!(perilune_aside_string(self.as_ptr(), bytes.as_ptr().cast(), bytes.len()));
    }

    /// `push_table` without a step of the collector. `[-0, +1, m]`
    pub(crate) fn push_table_aside(self) {
        call!(perilune_aside_table(self.as_ptr()));
    }

    /// `push_userdata` without a step of the collector. `[-0, +1, m]`
    pub(crate) fn push_userdata_aside(self, bytes: usize) -> *mut c_void {
        call!(perilune_aside_block(self.as_ptr(), bytes))
    }

    /// Puts the `count` values on top into the list below them, which has `done` already; where nil is below
    /// them, into a new one with the metatable at that index. `[-count, +0, e]`
    pub(crate) fn put_list(self, metatable: c_int, done: u32, count: u32) {
        call!(perilune_json_list(self.as_ptr(), self.pointer(metatable), done, count));
    }

    /// Puts `count` pairs on top into the table below them; where nil is below them, into a new one with the
    /// metatable at that index. `[-2*count, +0, e]`
    pub(crate) fn put_pairs(self, metatable: c_int, count: u32) {
        call!(perilune_json_object(self.as_ptr(), self.pointer(metatable), count));
    }
}
