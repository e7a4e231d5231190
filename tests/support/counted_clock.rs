//! A host for tests of limits, whose clock does not depend on the machine.

use perilune::{Host, Stream};
use std::cell::Cell;
use std::rc::Rc;

/// A host whose clock goes on by a millisecond each time that it is read, and that counts how often.
#[derive(Debug, Default)]
pub(crate) struct CountedClock(pub(crate) Rc<Cell<u32>>);

impl Host for CountedClock {
    fn write(&mut self, _: Stream, _: &[u8]) {}

    fn clock_ms(&mut self) -> f64 {
        0.0
    }

    fn monotonic_ms(&mut self) -> f64 {
        0.0
    }

    fn timer_ms(&mut self) -> f64 {
        self.0.set(self.0.get() + 1);
        f64::from(self.0.get())
    }

    fn random_u64(&mut self) -> u64 {
        7
    }
}
