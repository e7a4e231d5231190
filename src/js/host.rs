//! The host of a page or worker: its console or callbacks, its clocks.

use super::imports;
use crate::host::{Host, Stream};

/// Host that asks JavaScript, through the host imports.
#[derive(Debug, Default)]
pub struct JsHost {}

impl Host for JsHost {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        imports::output(stream as u32, bytes.as_ptr(), bytes.len());
    }

    fn clock_ms(&mut self) -> f64 {
        imports::clock_ms()
    }

    fn monotonic_ms(&mut self) -> f64 {
        imports::monotonic_ms()
    }

    fn time_zone_minutes(&mut self, clock_ms: f64) -> i32 {
        imports::time_zone_minutes(clock_ms)
    }

    fn timer_ms(&mut self) -> f64 {
        imports::timer_ms()
    }

    fn interrupted(&mut self) -> bool {
        imports::interrupted() != 0
    }

    fn random_u64(&mut self) -> u64 {
        u64::from(imports::random_u32()) << 32 | u64::from(imports::random_u32())
    }
}
