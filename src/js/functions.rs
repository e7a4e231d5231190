//! Host functions of JavaScript, by id.

use super::{exports, imports};
use crate::lua::Stack;
use crate::state::host_functions::{HostFunctions, HostResult};

/// Room offered at first for results; more only when the answer says so.
const ROOM_BYTES: usize = 256;

/// Host functions that JavaScript runs, through the host imports.
#[derive(Debug, Default)]
pub(crate) struct JsFunctions {}

impl HostFunctions for JsFunctions {
    fn call(&self, _stack: Stack, id: u32, args: &[u8], may_wait: bool, results: &mut Vec<u8>) -> HostResult {
        exports::with_js_owner(|| ask(id, args, may_wait, results))
    }

    fn has_input(&self) -> bool {
        true
    }

    fn release(&self, id: u32, uses: u32) {
        imports::host_release(id, uses);
    }
}

/// Calls one host import; `results` comes empty.
fn ask(id: u32, args: &[u8], may_wait: bool, results: &mut Vec<u8>) -> HostResult {
    if results.try_reserve(ROOM_BYTES).is_err() {
        return HostResult::OutOfMemory;
    }
    let (out, room) = (results.as_mut_ptr(), results.capacity());
    let answer = imports::host_call(id, args.as_ptr(), args.len(), u32::from(may_wait), out, room);
    let len = (answer >> 2) as usize;
    if len > room {
        if results.try_reserve_exact(len).is_err() {
            return HostResult::OutOfMemory;
        }
        imports::host_take(results.as_mut_ptr(), len);
    }
    // SAFETY: JavaScript wrote `len` bytes at the start of the buffer, which is long enough for them.
    unsafe { results.set_len(len) };
    match answer & 3 {
        0 => HostResult::Returns,
        1 => HostResult::Raises,
        2 => HostResult::Waits,
        _ => HostResult::RaisesAgain,
    }
}
