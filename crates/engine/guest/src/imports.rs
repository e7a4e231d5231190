//! Imports of the module: five functions of numbers, by the host.

use perilune::{Host, Stream};

#[link(wasm_import_module = "engine")]
unsafe extern "C" {
    /// Calls a module of the host: the request is the number of a function and its arguments, values one
    /// behind another in `len` bytes at `at`. The answer, a list, is written to `out` if it has at most
    /// `room` bytes, else kept for `take`. Returns its length. `fuel` is what the script has used so far: it
    /// may be ended while it waits here.
    pub(crate) fn call(at: *const u8, len: usize, out: *mut u8, room: usize, fuel: u64) -> usize;
    /// Writes what is kept to `out`, which has room for it: the input of this call, or the last answer of
    /// `call`.
    pub(crate) fn take(out: *mut u8);
    /// Milliseconds for which the event has run, without waiting.
    pub(crate) safe fn running_ms() -> f64;
    /// Random bits.
    pub(crate) safe fn random_u64() -> u64;
    /// Tells of a panic, after which the module traps: `len` bytes of text at `at`.
    pub(crate) fn panicked(at: *const u8, len: usize);
}

/// The world around the VM. Scripts have neither output of Lua's own nor a clock: `print` logs, and `os` is
/// not there.
pub(crate) struct Engine;

impl Host for Engine {
    fn write(&mut self, _stream: Stream, _bytes: &[u8]) {}

    fn clock_ms(&mut self) -> f64 {
        0.0
    }

    fn monotonic_ms(&mut self) -> f64 {
        running_ms()
    }

    fn random_u64(&mut self) -> u64 {
        random_u64()
    }
}
