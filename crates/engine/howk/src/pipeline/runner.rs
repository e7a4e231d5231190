//! Engine for scripts, as the pipeline needs it.

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
    /// Config of the script.
    pub config_id: ConfigId,
    /// Hash of the script.
    pub hash: ScriptHash,
    /// Source of the script.
    pub source: Arc<str>,
    /// Input of the script.
    pub input: EventInput,
}

/// Result of a script, and what it took.
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

/// Outcome of an execution.
#[derive(Debug, Clone, PartialEq)]
pub enum RunOutcome {
    /// The script ran, or failed.
    Done(RunReport),
    /// The script had no room, through no fault of its own.
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
