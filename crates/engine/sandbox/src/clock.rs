//! The time for which an event has run: what its polls took of their thread's time. A busy machine ends
//! nobody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The running time of one event. Its polls follow one another, on whatever thread.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// Nanoseconds of the polls that have ended.
    ran_ns: AtomicU64,
    /// Thread time at which the poll under way began.
    began_ns: AtomicU64,
}

impl Clock {
    /// Begins a poll.
    pub(crate) fn start(&self) {
        self.began_ns.store(thread_ns(), Ordering::Relaxed);
    }

    /// Ends a poll. Returns how long all of them have run.
    pub(crate) fn stop(&self) -> Duration {
        let ran_ns = self.running_ns();
        self.ran_ns.store(ran_ns, Ordering::Relaxed);
        Duration::from_nanos(ran_ns)
    }

    /// The running time, in a poll.
    pub(crate) fn running_ns(&self) -> u64 {
        let began_ns = self.began_ns.load(Ordering::Relaxed);
        self.ran_ns.load(Ordering::Relaxed) + thread_ns().saturating_sub(began_ns)
    }

    /// The running time, between polls.
    pub(crate) fn ran(&self) -> Duration {
        Duration::from_nanos(self.ran_ns.load(Ordering::Relaxed))
    }
}

/// Nanoseconds for which this thread has run.
#[cfg(unix)]
fn thread_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one `timespec`, which is a local of ours.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    debug_assert_eq!(status, 0, "the clock is one that every unix has");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Nanoseconds since the first call: without a clock of the thread, time that others had counts, too.
#[cfg(not(unix))]
fn thread_ns() -> u64 {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed().as_nanos() as u64
}
