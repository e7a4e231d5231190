//! The imports of the module: docs/codec.md, section 4.
//!
//! None of them throws: `imports.js` catches everything and returns a code.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(module = "/src/js/imports.js")]
extern "C" {
    pub(super) fn table_open(store: u32, name: *const u8, name_len: usize) -> i32;
    pub(super) fn table_get(table: u32, key: *const u8, key_len: usize, out: *mut u8, out_cap: usize) -> i32;
    pub(super) fn table_set(
        table: u32,
        key: *const u8,
        key_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> i32;
    pub(super) fn table_remove(table: u32, key: *const u8, key_len: usize) -> i32;
    pub(super) fn table_next(table: u32, after: f64, out: *mut u8, out_cap: usize) -> i32;
    pub(super) fn table_count(table: u32) -> f64;
    pub(super) fn table_clear(table: u32) -> i32;
    pub(super) fn table_drop(store: u32, name: *const u8, name_len: usize) -> i32;
    pub(super) fn table_names(store: u32, out: *mut u8, out_cap: usize) -> i32;
    pub(super) fn transaction(store: u32, op: u32) -> i32;
    pub(super) fn end_batch(store: u32) -> i32;
    pub(super) fn store_error(out: *mut u8, out_cap: usize) -> i32;
    pub(super) fn output(stream: u32, at: *const u8, len: usize);
    pub(super) fn clock_ms() -> f64;
    pub(super) fn monotonic_ms() -> f64;
    pub(super) fn time_zone_minutes(ms: f64) -> i32;
    pub(super) fn random_u32() -> u32;
    pub(super) fn timer_ms() -> f64;
    pub(super) fn interrupted() -> i32;
    pub(super) fn report_panic(at: *const u8, len: usize);
}

#[cfg(feature = "exports")]
#[wasm_bindgen(module = "/src/js/imports.js")]
extern "C" {
    pub(super) fn host_call(
        function: u32,
        args: *const u8,
        args_len: usize,
        may_wait: u32,
        out: *mut u8,
        out_cap: usize,
    ) -> u32;
    pub(super) fn host_take(out: *mut u8, out_cap: usize) -> u32;
    pub(super) fn host_release(id: u32, uses: u32);
}

#[cfg(feature = "jit")]
#[wasm_bindgen(module = "/src/js/imports.js")]
extern "C" {
    pub(super) fn jit_compile(build: u32) -> i32;
    pub(super) fn jit_grow(slots: u32) -> i32;
    pub(super) fn jit_drop(first: u32, count: u32);
}
