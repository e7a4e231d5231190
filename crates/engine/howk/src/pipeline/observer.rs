//! Events of the pipeline, for metrics.

use howk_contract::{ErrorType, Reason};
use std::fmt;
use std::time::Duration;

/// Event of the pipeline.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Observed {
    /// A webhook was accepted.
    Received,
    /// A script ran.
    Script {
        /// Error of the script, if it failed.
        error: Option<ErrorType>,
        /// Time of the wall.
        wall: Duration,
        /// Processor time.
        cpu: Duration,
        /// Ticks.
        fuel: u64,
        /// Bytes of memory.
        memory_bytes: u64,
    },
    /// A script was looked for: where, and whether it was there.
    ScriptLookUp {
        /// `memory`, `mirror` or `log`.
        tier: &'static str,
        /// True if it was there.
        found: bool,
    },
    /// A script came by the log.
    Reload {
        /// `loaded`, `deleted`, `wrong_hash`, `unreadable`, `does_not_compile` or `stale`.
        result: &'static str,
        /// Time since it was stored; none while old records are read.
        lag: Option<Duration>,
    },
    /// An endpoint was asked.
    Delivery {
        /// `success`, `retry` or `unrecoverable`.
        result: &'static str,
        /// Time that it took.
        time: Duration,
    },
    /// A webhook waits for another attempt.
    Retry,
    /// A webhook was put off without using an attempt.
    Deferred {
        /// `share`, `concurrency`, `cpu` or `memory`.
        because: &'static str,
    },
    /// A webhook was given up.
    DeadLetter(Reason),
    /// A record of `howk.pending` was no webhook.
    Unreadable,
    /// Number of webhooks that wait for another attempt.
    RetriesPending(u64),
    /// A webhook was worked on by a task that panicked.
    Panic,
}

/// Listener for events.
pub trait Observer: Send + Sync + fmt::Debug {
    /// Hears of something. It must not wait.
    fn observe(&self, observed: Observed);
}

/// An observer that forgets.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn observe(&self, _: Observed) {}
}
