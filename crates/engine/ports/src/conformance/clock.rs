//! Promises of a clock.

use super::comes;
use crate::Clock;
use std::sync::Arc;
use std::time::Duration;

/// Checks a clock that runs, or is moved by another task.
///
/// # Panics
/// It is no clock.
pub async fn clock(clock: Arc<dyn Clock>) {
    let before = clock.elapsed();
    comes("a sleep of nothing", clock.sleep(Duration::ZERO)).await;
    let nap = Duration::from_millis(20);
    comes("a nap", clock.sleep(nap)).await;
    assert!(clock.elapsed() >= before + nap, "the nap was too short");
    let mut last = clock.elapsed();
    for _ in 0..1000 {
        let now = clock.elapsed();
        assert!(now >= last, "time went back");
        last = now;
    }
}
