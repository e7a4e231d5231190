//! Working on webhooks: takes them from `howk.pending`, and sees each through one attempt.
//!
//! Keeps true: a webhook is finished in `howk.pending` only once its result, its next attempt or its dead
//! letter is acknowledged by the log. A crash in between repeats the attempt, and loses nothing.

mod attempt;
mod ending;
mod gate;
mod run;

pub use run::Worker;

/// The group that works on `howk.pending`.
pub const GROUP: &str = "howk.worker";
