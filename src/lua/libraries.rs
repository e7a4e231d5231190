//! C Lua's own libraries that touch nothing outside of the state, and what other libraries build on of them.

use super::functions::Thrown;
use super::raw::{self, lua_CFunction, lua_State};
use super::stack::Stack;
use std::ffi::{CStr, c_char, c_int, c_void};

/// The functions that open them, by name; `_G` is the base library.
pub(crate) const PURE_LIBRARIES: [(&CStr, lua_CFunction); 6] = [
    (c"_G", raw::luaopen_base),
    (c"string", raw::luaopen_string),
    (c"table", open_table),
    (c"math", open_math),
    (c"utf8", raw::luaopen_utf8),
    (c"coroutine", raw::luaopen_coroutine),
];

/// Opens a library `math`, beside the one that scripts have.
pub(crate) use raw::luaopen_math as open_math;
/// Opens a library `table`, beside the one that scripts have.
pub(crate) use raw::luaopen_table as open_table;

impl Stack {
    /// Sets the function that gets warnings, in pieces (manual, `lua_setwarnf`). `[-0, +0, -]`
    pub(crate) fn set_warn_function(
        self,
        function: unsafe extern "C-unwind" fn(*mut c_void, *const c_char, c_int),
    ) {
        // SAFETY: the state is valid, and is what the function gets, as long as it lives.
        unsafe { raw::lua_setwarnf(self.as_ptr(), Some(function), self.as_ptr().cast()) };
    }

    /// Calls a C function in the running frame, with its arguments and for its results; its error messages
    /// have the name and the position of the function that runs. `[-?, +results, e]`
    pub(crate) fn call_in_frame(
        self,
        function: unsafe extern "C-unwind" fn(*mut lua_State) -> c_int,
    ) -> Result<c_int, Thrown> {
        // SAFETY: the arguments lie where Lua would put them, and no destructor is alive here if it raises.
        Ok(unsafe { function(self.as_ptr()) })
    }

    /// True while the collector runs by itself (`LUA_GCISRUNNING`). `[-0, +0, -]`
    pub(crate) fn collector_runs(self) -> bool {
        // SAFETY: this option takes no further argument and changes nothing.
        unsafe { raw::lua_gc(self.as_ptr(), raw::LUA_GCISRUNNING) != 0 }
    }
}
