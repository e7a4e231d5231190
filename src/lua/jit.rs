//! The C side of the compiler of hot functions (lua-5.4/port/jit.c, `jit_layout.c`): its switch, its layout,
//! and the fields that it has in a prototype.

use super::raw::{self, lua_State};
use super::stack::Stack;
use crate::jit::{Intrinsics, Layout};
use std::ffi::{CStr, c_int, c_uint};
use std::ptr;

unsafe extern "C" {
    static perilune_jit_depth: c_int;
    static mut perilune_jit_exits: c_uint;
    fn perilune_jit_layout(l: *mut lua_State, to: *mut Layout, most: c_uint, depth: *const c_int) -> c_uint;
    safe fn perilune_jit_switch(samples: c_int, instructions: c_uint);
    safe fn perilune_jit_drop_recording();
    fn perilune_jit_clear(l: *mut lua_State);
}

/// Samples from which on a function is recorded (0: none ever), and the instructions of a recording.
pub(crate) fn switch(samples: i32, instructions: u32) {
    perilune_jit_switch(samples, instructions);
}

/// Forgets the recording under way.
pub(crate) fn drop_recording() {
    perilune_jit_drop_recording();
}

/// Times that compiled code gave up.
pub(crate) fn exits() -> u32 {
    // SAFETY: one thread; C only counts.
    unsafe { perilune_jit_exits }
}

pub(crate) fn set_exits(exits: u32) {
    // SAFETY: as above.
    unsafe { perilune_jit_exits = exits };
}

/// Offsets and addresses for this VM.
///
/// # Safety
/// `state` is alive.
pub(crate) unsafe fn layout(state: *mut lua_State) -> Layout {
    let mut layout = Layout::default();
    let most = (size_of::<Layout>() / size_of::<c_uint>()) as c_uint;
    // SAFETY: the state is alive; C writes at most so many words, which is what a `Layout` is.
    unsafe { perilune_jit_layout(state, &raw mut layout, most, &raw const perilune_jit_depth) };
    layout
}

/// Sets `jit` of a prototype, and returns what it was.
///
/// # Safety
/// There is a prototype at this address, and `layout` is that of the VM.
pub(crate) unsafe fn replace_compiled(proto: usize, layout: &Layout, jit: i32) -> i32 {
    let field = ptr::with_exposed_provenance_mut::<i32>(proto + layout.proto_jit as usize);
    // SAFETY: the caller's promise; C aligns the field.
    unsafe { field.replace(jit) }
}

impl Stack {
    /// Takes all marks of the compiler out of the prototypes and threads of the state. `[-0, +0, -]`
    pub(crate) fn clear_compiled(self) {
        // SAFETY: the state is alive, and nothing of it is compiled code that runs.
        unsafe { perilune_jit_clear(self.as_ptr()) };
    }

    /// C functions that compiled code does itself: those of the libraries, before a script runs. `[-0, +0,
    /// m]`
    pub(crate) fn intrinsics(self) -> Intrinsics {
        let function = |library: &CStr, name: &CStr| {
            // SAFETY: the state is alive, and has room for two values; a library is a table without
            // metamethods.
            unsafe {
                let l = self.as_ptr();
                raw::lua_getglobal(l, library.as_ptr());
                raw::lua_getfield(l, -1, name.as_ptr());
                let function = raw::lua_tocfunction(l, -1);
                raw::lua_settop(l, -3);
                function.map_or(0, |function| function as usize)
            }
        };
        Intrinsics {
            sqrt: function(c"math", c"sqrt"),
            floor: function(c"math", c"floor"),
            abs: function(c"math", c"abs"),
            max: function(c"math", c"max"),
            min: function(c"math", c"min"),
        }
    }
}
