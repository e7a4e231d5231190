//! Prototypes of functions for the unit tests of the compiler (src/jit): where they are, and their layout.

use super::raw::{self, lua_State};
use super::stack::Stack;
use crate::jit::Layout;
use std::ffi::{c_int, c_uint};

unsafe extern "C" {
    fn perilune_jit_layout(l: *mut lua_State, to: *mut Layout, most: c_uint, depth: *const c_int) -> c_uint;
}

/// Compiles text, without the collector, which needs a whole VM. Pushes the function, or a message: then
/// false. `[-0, +1, -]`
pub(super) fn load(stack: Stack, text: &[u8]) -> bool {
    let l = stack.as_ptr();
    // SAFETY: the state is alive, the text is so long; loading is protected.
    unsafe {
        raw::lua_gc(l, raw::LUA_GCSTOP);
        raw::luaL_loadbufferx(l, text.as_ptr().cast(), text.len(), c"=script".as_ptr(), c"t".as_ptr()) == 0
    }
}

/// The layout of a VM.
pub(super) fn layout(stack: Stack) -> Layout {
    let mut layout = Layout::default();
    let words = (size_of::<Layout>() / size_of::<c_uint>()) as c_uint;
    // SAFETY: the state is alive, and a `Layout` is so many words.
    unsafe { perilune_jit_layout(stack.as_ptr(), &raw mut layout, words, std::ptr::null()) };
    layout
}

/// Addresses of the prototypes of the Lua function on top and of all functions in it. `[-0, +0, -]`
pub(super) fn prototypes(stack: Stack, layout: &Layout) -> Vec<usize> {
    let closure = stack.pointer(-1).expose_provenance();
    let read = |address: usize| {
        // SAFETY: a field of a closure or prototype that is alive, which is a pointer.
        unsafe { std::ptr::with_exposed_provenance::<usize>(address).read_unaligned() }
    };
    let mut found = vec![read(closure + layout.closure_p as usize)];
    let mut at = 0;
    while at < found.len() {
        let (count, list) =
            (found[at] + layout.proto_sizep as usize, read(found[at] + layout.proto_p as usize));
        // SAFETY: as above; it is an `int`.
        let children = unsafe { std::ptr::with_exposed_provenance::<c_int>(count).read_unaligned() };
        found.extend((0..children as usize).map(|child| read(list + child * size_of::<usize>())));
        at += 1;
    }
    found
}
