//! Values of Lua that code outside refers to by number. Each kind has a table of its own, so no number,
//! however it was come by, leads to anything else of the registry.

use super::raw;
use super::stack::Stack;
use std::ffi::{c_int, c_void};
use std::ptr;

/// A kind of reference: the side that refers to the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefKind {
    /// The host: functions, threads and userdata that were given to it.
    Host,
    /// The runtime: the threads of tasks.
    Task,
}

static BY_HOST: u8 = 0;
static AS_TASK: u8 = 0;

impl RefKind {
    /// The key of the table in the registry.
    fn key(self) -> *const c_void {
        let place = match self {
            RefKind::Host => &BY_HOST,
            RefKind::Task => &AS_TASK,
        };
        ptr::from_ref(place).cast()
    }
}

impl Stack {
    /// Makes the tables. `[-0, +0, m]`
    pub(crate) fn open_references(self) {
        for kind in [RefKind::Host, RefKind::Task] {
            self.push_table(0, 0);
            self.raw_set_address(raw::LUA_REGISTRYINDEX, kind.key());
        }
    }

    /// Keeps the top value under a number of its own. `[-1, +0, m]`
    pub(crate) fn make_reference(self, kind: RefKind) -> c_int {
        self.raw_get_address(raw::LUA_REGISTRYINDEX, kind.key());
        self.insert(-2);
        // SAFETY: the state is valid, a table lies below the value, and no frame up to Lua holds a destructor
        // if this raises.
        let number = unsafe { raw::luaL_ref(self.as_ptr(), -2) };
        self.pop(1);
        number
    }

    /// Lets it go. `[-0, +0, -]`
    pub(crate) fn release_reference(self, kind: RefKind, number: c_int) {
        self.raw_get_address(raw::LUA_REGISTRYINDEX, kind.key());
        // SAFETY: the state is valid, and a table is on top; the number is in use, so its key is there and
        // nothing is allocated.
        unsafe { raw::luaL_unref(self.as_ptr(), -1, number) };
        self.pop(1);
    }

    /// Lets all of them go but those that `keeps` says. `[-0, +0, -]`
    pub(crate) fn release_references(self, kind: RefKind, mut keeps: impl FnMut(c_int) -> bool) {
        self.raw_get_address(raw::LUA_REGISTRYINDEX, kind.key());
        // SAFETY: the state is valid, and a table is on top.
        let last = unsafe { raw::lua_rawlen(self.as_ptr(), -1) } as c_int;
        for number in 1..=last {
            let found = self.raw_get_index(-1, i64::from(number));
            self.pop(1);
            // luaL_ref keeps its list of free numbers in the table, as numbers.
            if matches!(found, raw::LUA_TNIL | raw::LUA_TNUMBER) || keeps(number) {
                continue;
            }
            // SAFETY: as in `release_reference`.
            unsafe { raw::luaL_unref(self.as_ptr(), -1, number) };
        }
        self.pop(1);
    }

    /// Pushes the value with a number; false (and nothing) when there is none. `[-0, +(0|1), -]`
    pub(crate) fn push_reference(self, kind: RefKind, number: i64) -> bool {
        self.raw_get_address(raw::LUA_REGISTRYINDEX, kind.key());
        // luaL_ref keeps its list of free numbers in the table, as numbers.
        let found = self.raw_get_index(-1, number);
        self.remove(-2);
        if matches!(found, raw::LUA_TNIL | raw::LUA_TNUMBER) {
            self.pop(1);
            return false;
        }
        true
    }
}
