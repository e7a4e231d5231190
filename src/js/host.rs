//! The host of a page or worker: its console or callbacks, its clocks.

use super::border;
use crate::host::{Host, Stream};

/// Asks JavaScript, through the border.
#[derive(Debug, Default)]
pub struct JsHost {}

impl Host for JsHost {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        border::output(stream as u32, bytes.as_ptr(), bytes.len());
    }

    fn clock_ms(&mut self) -> f64 {
        border::clock_ms()
    }

    fn monotonic_ms(&mut self) -> f64 {
        border::monotonic_ms()
    }

    fn time_zone_minutes(&mut self, clock_ms: f64) -> i32 {
        border::time_zone_minutes(clock_ms)
    }

    fn timer_ms(&mut self) -> f64 {
        border::timer_ms()
    }

    fn interrupted(&mut self) -> bool {
        border::interrupted() != 0
    }

    #[cfg(feature = "shell")]
    fn read(&mut self) -> Result<Option<Vec<u8>>, String> {
        super::functions::input()
    }

    fn random_u64(&mut self) -> u64 {
        u64::from(border::random_u32()) << 32 | u64::from(border::random_u32())
    }
}
