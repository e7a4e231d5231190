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

/// Names, places and kind of a function, active or not: what is asked with `S`, `l`, `n`, `t` and `u`.
pub(crate) struct FunctionInfo(raw::lua_Debug);

impl FunctionInfo {
    /// The function at a level of this thread: 0 is the running one. None if there is no such level. Valid
    /// while that function is active. `[-0, +0, -]`
    pub(crate) fn of_level(thread: Stack, level: c_int) -> Option<Self> {
        // SAFETY: lua_Debug is plain data, and lua_getstack fills it in.
        let mut info: raw::lua_Debug = unsafe { std::mem::zeroed() };
        // SAFETY: the state is valid; lua_getstack answers 0 for a level that is not there.
        if unsafe { raw::lua_getstack(thread.as_ptr(), level, &raw mut info) } == 0 {
            return None;
        }
        // SAFETY: lua_getstack filled `info` in for a live level; these options push nothing.
        unsafe { raw::lua_getinfo(thread.as_ptr(), c"Slntu".as_ptr(), &raw mut info) };
        Some(FunctionInfo(info))
    }

    /// The function at this index. Valid while it is there. One free slot is needed. `[-0, +0, -]`
    pub(crate) fn of_function(stack: Stack, index: c_int) -> Self {
        // SAFETY: lua_Debug is plain data.
        let mut info: raw::lua_Debug = unsafe { std::mem::zeroed() };
        stack.push_copy(index);
        // SAFETY: the function is on top, from where `>` takes it; these options push nothing.
        unsafe { raw::lua_getinfo(stack.as_ptr(), c">Slntu".as_ptr(), &raw mut info) };
        FunctionInfo(info)
    }

    /// The chunk's name as it was given, or its source.
    pub(crate) fn source(&self) -> &[u8] {
        // SAFETY: Lua gave `srclen` bytes, which the function keeps.
        unsafe { std::slice::from_raw_parts(self.0.source.cast(), self.0.srclen) }
    }

    /// The chunk's name for messages.
    pub(crate) fn short_source(&self) -> &[u8] {
        // SAFETY: a NUL-terminated array inside of `self.0`.
        unsafe { CStr::from_ptr(self.0.short_src.as_ptr()) }.to_bytes()
    }

    /// "Lua", "C" or "main".
    pub(crate) fn kind(&self) -> &[u8] {
        // SAFETY: a constant of Lua's.
        unsafe { CStr::from_ptr(self.0.what) }.to_bytes()
    }

    /// The name by which the function was called, if that is known.
    pub(crate) fn name(&self) -> Option<&[u8]> {
        // SAFETY: a NUL-terminated string that the calling function keeps, if it is not null.
        (!self.0.name.is_null()).then(|| unsafe { CStr::from_ptr(self.0.name) }.to_bytes())
    }

    /// Kind of the name: "global", "local", "method", "field", "upvalue" and the like, or "".
    pub(crate) fn name_kind(&self) -> &[u8] {
        // SAFETY: a constant of Lua's.
        unsafe { CStr::from_ptr(self.0.namewhat) }.to_bytes()
    }

    pub(crate) fn line_defined(&self) -> i64 {
        self.0.linedefined.into()
    }

    pub(crate) fn last_line_defined(&self) -> i64 {
        self.0.lastlinedefined.into()
    }

    /// The line that runs; -1 if there is none.
    pub(crate) fn current_line(&self) -> i64 {
        self.0.currentline.into()
    }

    /// True if a tail call called it, so that its caller is not on the stack.
    pub(crate) fn is_tail_call(&self) -> bool {
        self.0.istailcall != 0
    }

    pub(crate) fn upvalues(&self) -> i64 {
        self.0.nups.into()
    }

    pub(crate) fn parameters(&self) -> i64 {
        self.0.nparams.into()
    }

    pub(crate) fn is_vararg(&self) -> bool {
        self.0.isvararg != 0
    }
}
