//! The way of a webhook: accepted, transformed, delivered, tried again, given up.
//!
//! Keeps true: a webhook that was acknowledged ends as delivered or as a dead letter, through any crash; one
//! that was accepted for a script is never sent without. What the parts share is [`Parts`]; [`Pipeline`] puts
//! them together.

mod append;
mod assembly;
mod dead_letters;
mod observer;
mod queue;
mod records;
mod runner;
mod sandboxed;
mod settings;
mod state_kv;
mod status;

pub use append::Appender;
pub use assembly::{Parts, Pipeline, Readiness, Roles};
pub use dead_letters::{Cursor, DeadLetters, InvalidCursor, Listed, Page, PageOf, ReplayError};
pub use observer::{Observed, Observer, Silent};
pub use queue::{EnqueueError, EnqueueRequest, Enqueued, Queue};
pub use records::{DeliveryResult, RetryHead, RetryRecord, UnreadableRecord};
pub use runner::{RunFuture, RunOutcome, RunReport, ScriptEvent, ScriptRunner};
pub use sandboxed::SandboxRunner;
pub(crate) use sandboxed::run_with;
pub use settings::{
    DeadLetterSettings, DeliverySettings, LoaderSettings, PipelineSettings, QueueSettings, RetrySettings,
    SchedulerSettings, Versions, WorkerSettings,
};
pub use state_kv::StateKv;
pub use status::{StatusRecord, Statuses, WebhookState};
