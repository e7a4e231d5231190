//! The imports of the module beside those of `perilune`: docs/codec.md, section 8.
//!
//! All take and give numbers, and none of them throws: who answers them returns a code.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    pub(crate) fn file_open(name: *const u8, name_len: usize, create: u32) -> i32;
    pub(crate) fn file_close(file: i32) -> i32;
    pub(crate) fn file_read(file: i32, at: *mut u8, len: usize, offset: f64) -> i32;
    pub(crate) fn file_write(file: i32, at: *const u8, len: usize, offset: f64) -> i32;
    pub(crate) fn file_truncate(file: i32, size: f64) -> i32;
    pub(crate) fn file_sync(file: i32) -> i32;
    pub(crate) fn file_size(file: i32) -> f64;
    pub(crate) fn file_exists(name: *const u8, name_len: usize) -> i32;
    pub(crate) fn file_delete(name: *const u8, name_len: usize, durable: u32) -> i32;
    pub(crate) fn capsule_clock_ms() -> f64;
    pub(crate) fn capsule_random_u32() -> u32;
    pub(crate) fn capsule_notify(count: u32);
    // Of `perilune` (docs/codec.md, section 4): the time zone is that of Lua's `os.date`.
    pub(crate) fn time_zone_minutes(ms: f64) -> i32;
}
