//! A host for tests that compare what programs write.

use perilune::{Host, Stream};
use std::cell::RefCell;
use std::rc::Rc;

/// A host that keeps all that is written, and whose clock and chance stand still, so that runs are equal.
#[derive(Debug, Default, Clone)]
pub(crate) struct Recorder(pub(crate) Rc<RefCell<Vec<u8>>>);

impl Host for Recorder {
    fn write(&mut self, _: Stream, bytes: &[u8]) {
        self.0.borrow_mut().extend_from_slice(bytes);
    }

    fn clock_ms(&mut self) -> f64 {
        0.0
    }

    fn monotonic_ms(&mut self) -> f64 {
        0.0
    }

    fn random_u64(&mut self) -> u64 {
        7
    }
}
