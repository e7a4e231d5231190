//! The call stack of a thread (manual, section 4.7).

use super::raw;
use super::stack::Stack;
use crate::limits::NAME_BYTES_MAX;
use std::ffi::{CStr, c_int};

impl Stack {
    /// True while a function runs on this thread. `[-0, +0, -]`
    #[cfg(feature = "mlua")]
    pub(crate) fn is_running(self) -> bool {
        // SAFETY: lua_Debug is plain data, and lua_getstack fills it in.
        let mut info: raw::lua_Debug = unsafe { std::mem::zeroed() };
        // SAFETY: the state is valid; asking for the innermost call changes nothing else.
        unsafe { raw::lua_getstack(self.as_ptr(), 0, &raw mut info) != 0 }
    }

    /// Calls `visit` with chunk, as messages have it (lua-5.4/port/chunk_name.h), and current line of each
    /// active Lua function, the innermost first, until it returns false; at most `levels` functions deep.
    /// `[-0, +0, -]`
    pub(crate) fn visit_places(self, levels: c_int, mut visit: impl FnMut(&[u8], u32) -> bool) {
        // SAFETY: lua_Debug is plain data, and lua_getstack fills it in.
        let mut info: raw::lua_Debug = unsafe { std::mem::zeroed() };
        for level in 0..levels {
            // SAFETY: `info` is a lua_Debug, and the state is valid.
            if unsafe { raw::lua_getstack(self.as_ptr(), level, &raw mut info) } == 0 {
                return;
            }
            // SAFETY: lua_getstack filled `info` in for a live level.
            unsafe { raw::lua_getinfo(self.as_ptr(), c"Sl".as_ptr(), &raw mut info) };
            // C functions have no line: -1.
            let Some(line) = u32::try_from(info.currentline).ok().filter(|&line| line > 0) else { continue };
            // SAFETY: Lua ends the source's name with a NUL, and the function that is active keeps it;
            // `short_src` is a NUL-terminated array inside `info`.
            let chunk = unsafe {
                let (source, length) = (CStr::from_ptr(info.source).to_bytes(), info.srclen);
                match source {
                    [b'=' | b'@', name @ ..] if length - 1 <= NAME_BYTES_MAX => name,
                    _ => CStr::from_ptr(info.short_src.as_ptr()).to_bytes(),
                }
            };
            if !visit(chunk, line) {
                return;
            }
        }
    }
}
