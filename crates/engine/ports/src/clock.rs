//! Time: the one on the wall, which may jump, and the one that passes, which does not.

use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Clock that tells the time, and waits.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time of the wall. It may jump either way.
    fn now(&self) -> Timestamp;

    /// The time since some moment in the past. It never goes back.
    fn elapsed(&self) -> Duration;

    /// Waits until a time has passed.
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The clock of the system.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock that begins now.
    pub fn new() -> Self {
        SystemClock { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(time))
    }
}

#[derive(Debug, Clone, Copy)]
struct TestTime {
    now: Timestamp,
    elapsed: Duration,
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct TestClock {
    time: Mutex<TestTime>,
    moved: watch::Sender<Duration>,
}

impl TestClock {
    /// A clock that stands at `now`.
    pub fn new(now: Timestamp) -> Self {
        TestClock {
            time: Mutex::new(TestTime { now, elapsed: Duration::ZERO }),
            moved: watch::Sender::new(Duration::ZERO),
        }
    }

    /// Lets time pass, and wakes who waits for it.
    pub fn advance(&self, by: Duration) {
        let elapsed = {
            let mut time = self.lock();
            time.elapsed = time.elapsed.saturating_add(by);
            let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
            time.now = time.now.checked_add(by).unwrap_or(Timestamp::MAX);
            time.elapsed
        };
        self.moved.send_replace(elapsed);
    }

    /// Sets the time of the wall; no time passes.
    pub fn jump(&self, to: Timestamp) {
        self.lock().now = to;
    }

    fn lock(&self) -> MutexGuard<'_, TestTime> {
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn elapsed(&self) -> Duration {
        self.lock().elapsed
    }

    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let until = self.elapsed().saturating_add(time);
        let mut moved = self.moved.subscribe();
        Box::pin(async move {
            // The sender lives as long as the clock that the future borrows, so waiting cannot fail.
            let _ = moved.wait_for(|elapsed| *elapsed >= until).await;
        })
    }
}
