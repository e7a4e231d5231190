//! What the pipeline needs of an engine for scripts.

use howk_contract::{ConfigId, EventInput, ScriptError, ScriptHash, Transform};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A future of an engine.
pub type RunFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One execution of one script.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptEvent {
    /// Whose script it is.
    pub config_id: ConfigId,
    /// Its hash.
    pub hash: ScriptHash,
    /// Its source.
    pub source: Arc<str>,
    /// What it is given.
    pub input: EventInput,
}

/// What a script has made, and what it took.
#[derive(Debug, Clone, PartialEq)]
pub struct RunReport {
    /// The request that it has made of the webhook, or its error.
    pub result: Result<Transform, ScriptError>,
    /// Processor time.
    pub cpu: Duration,
    /// Time of the wall.
    pub wall: Duration,
    /// Ticks.
    pub fuel: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
}

/// What became of an execution.
#[derive(Debug, Clone, PartialEq)]
pub enum RunOutcome {
    /// It ran, or failed.
    Done(RunReport),
    /// There was no room for it, through no fault of its own.
    Deferred,
}

/// An engine for scripts.
pub trait ScriptRunner: Send + Sync + fmt::Debug {
    /// Runs a script on a webhook.
    fn run(&self, event: ScriptEvent) -> RunFuture<'_, RunOutcome>;

    /// Asks whether a source compiles.
    fn check(&self, source: Arc<str>) -> RunFuture<'_, Result<(), ScriptError>>;

    /// Makes what later runs of a source need, so that they begin sooner.
    fn prepare(&self, source: Arc<str>) -> RunFuture<'_, ()>;
}
