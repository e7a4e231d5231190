//! Schedule of webhooks that are tried again: from `howk.retries` back into `howk.pending`.
//!
//! Keeps true: a webhook that waits is in the log; what is here is found again by reading it. Due times are
//! counted by the time that passes, so a wall clock that jumps moves none of them.

mod backoff;
mod run;
mod waiting;

pub use backoff::backoff;
pub use run::Scheduler;

/// The group that shares the partitions of `howk.retries` out.
pub const GROUP: &str = "howk.scheduler";
