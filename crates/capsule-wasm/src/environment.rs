//! Clock, randomness and time zone, of the capsule and of SQLite: the host is asked for each.
//!
//! Keeps true: nothing here panics, and no byte of the randomness comes from the seed of Lua's generator,
//! which a host may set to have a run repeated.

use crate::imports::{capsule_clock_ms, capsule_random_u32, time_zone_minutes};
use perilune_capsule::Environment;
use sqlite_wasm_rs::host::{Error, LocalTime, OK};
use std::time::Duration;

const MS_PER_SECOND: i64 = 1000;
const SECONDS_PER_MINUTE: i64 = 60;
const SECONDS_PER_DAY: i64 = 24 * 60 * SECONDS_PER_MINUTE;

/// Seconds since 1970 whose date is asked for, before and after: the years that SQLite knows, 0 to 9999, with
/// a day to spare.
const SECONDS_MAX: u64 = 10_000 * 366 * SECONDS_PER_DAY as u64;
const _: () = assert!(SECONDS_MAX * (MS_PER_SECOND as u64) < 1 << 53);

/// Clock and randomness of the host.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HostEnvironment;

impl Environment for HostEnvironment {
    fn now(&mut self) -> i64 {
        clock_ms()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        fill(buffer);
    }
}

impl rsqlite_vfs::OsCallback for HostEnvironment {
    /// Does nothing, since nobody can wait here. SQLite would only do so for a lock that another one has, and
    /// none has.
    fn sleep(&self, _: Duration) {}

    fn random(&self, buffer: &mut [u8]) -> usize {
        fill(buffer);
        buffer.len()
    }

    fn epoch_timestamp_in_ms(&self) -> rsqlite_vfs::VfsResult<i64> {
        Ok(clock_ms())
    }
}

/// Milliseconds since 1970; what is no number is the start of it.
fn clock_ms() -> i64 {
    capsule_clock_ms() as i64
}

/// Fills a buffer with random bytes, fit for keys.
fn fill(buffer: &mut [u8]) {
    for chunk in buffer.chunks_mut(size_of::<u32>()) {
        chunk.copy_from_slice(&capsule_random_u32().to_le_bytes()[..chunk.len()]);
    }
}

/// Fills a buffer of C.
///
/// # Safety
/// `buffer` has `len` bytes that nobody else uses.
unsafe fn fill_raw(buffer: *mut u8, len: usize) -> bool {
    if buffer.is_null() || len > isize::MAX as usize {
        return len == 0;
    }
    // SAFETY: the caller gives the buffer; zeros make it one of Rust.
    fill(unsafe {
        buffer.write_bytes(0, len);
        std::slice::from_raw_parts_mut(buffer, len)
    });
    true
}

// What the C of sqlite-wasm-rs asks for. Its declarations are in `sqlite_wasm_rs::host`.

#[unsafe(no_mangle)]
extern "C" fn rust_sqlite_wasm_host_sleep(_seconds: u64, _nanoseconds: u32) {}

#[unsafe(no_mangle)]
unsafe extern "C" fn rust_sqlite_wasm_host_random(buffer: *mut u8, len: usize) -> usize {
    // SAFETY: the caller, `WasmOsCallback`, has both from a slice.
    if unsafe { fill_raw(buffer, len) } { len } else { 0 }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rust_sqlite_wasm_host_fill_entropy(buffer: *mut u8, len: usize) -> i32 {
    // SAFETY: the caller, `host::fill_entropy`, has both from a slice.
    if unsafe { fill_raw(buffer, len) } { OK } else { Error::Unavailable as i32 }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rust_sqlite_wasm_host_epoch_timestamp_in_ms(out: *mut i64) -> i32 {
    // SAFETY: the caller has it from a reference.
    unsafe { out.write(clock_ms()) };
    OK
}

#[unsafe(no_mangle)]
unsafe extern "C" fn rust_sqlite_wasm_host_localtime(seconds: i64, out: *mut LocalTime) -> i32 {
    if seconds.unsigned_abs() > SECONDS_MAX {
        return Error::InvalidTime as i32;
    }
    #[expect(clippy::cast_precision_loss, reason = "below 2^53, by the check before")]
    let ms = (seconds * MS_PER_SECOND) as f64;
    let offset_minutes = time_zone_minutes(ms);
    // SAFETY: the caller has it from a reference.
    unsafe { out.write(local_time(seconds, offset_minutes)) };
    OK
}

/// The fields of a moment in a time zone. Whether daylight saving time holds then is not known.
fn local_time(seconds: i64, offset_minutes: i32) -> LocalTime {
    let offset = i64::from(offset_minutes) * SECONDS_PER_MINUTE;
    let local = seconds + offset;
    let (day, second) = (local.div_euclid(SECONDS_PER_DAY), local.rem_euclid(SECONDS_PER_DAY) as i32);
    let (year, month, day_of_month) = date(day);
    LocalTime {
        year: year as i32,
        month: month as i32,
        day: day_of_month as i32,
        hour: second / 3600,
        minute: second / 60 % 60,
        second: second % 60,
        // 1970 began on a Thursday.
        weekday: (day + 4).rem_euclid(7) as i32,
        yearday: (day - first_day(year)) as i32,
        is_dst: -1,
        utc_offset_seconds: offset as i32,
    }
}

/// The first day of a year, counted from 1970.
fn first_day(year: i64) -> i64 {
    let before = year - 1;
    let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    (year - 1970) * 365 + leap_days(before) - leap_days(1969)
}

/// Year, month from 1 on and day of the month of a day counted from 1970.
fn date(day: i64) -> (i64, i64, i64) {
    // A guess that is at most a year off: the mean year has 146,097 / 400 days.
    let mut year = 1970 + (day * 400).div_euclid(146_097);
    while first_day(year) > day {
        year -= 1;
    }
    while first_day(year + 1) <= day {
        year += 1;
    }
    let february = if first_day(year + 1) - first_day(year) == 366 { 29 } else { 28 };
    let mut rest = day - first_day(year);
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if rest < days {
            break;
        }
        rest -= days;
        month += 1;
    }
    (year, month, rest + 1)
}
