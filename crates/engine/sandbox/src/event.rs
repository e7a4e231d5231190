//! Events and their outcomes.

use howk_contract::{ConfigId, EventInput, Modules, ScriptError, ScriptHash, Transform};
use std::sync::Arc;
use std::time::Duration;

/// One execution of one script for one attempt of one webhook.
#[derive(Debug, Clone)]
pub struct Event {
    /// Config of the script: its events share a quarter of the memory at most.
    pub config_id: ConfigId,
    /// The hash of the source.
    pub hash: ScriptHash,
    /// The source.
    pub source: Arc<str>,
    /// Input of the script.
    pub input: EventInput,
    /// The modules as this event sees them.
    pub modules: Arc<dyn Modules>,
}

/// Outcome of an event.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The script has run, or failed.
    Done(Report),
    /// The event had no memory, which others have: it is to be run again later, as if nothing had been.
    Deferred,
}

/// Result of a script, and what it took.
#[derive(Debug, Clone)]
pub struct Report {
    /// The request that it has made of the webhook, or its error.
    pub result: Result<Transform, ScriptError>,
    /// Ticks that it has used; where it was ended from outside, those up to its last call of a module.
    pub fuel: u64,
    /// Bytes of the memory of its VM at the end, however it ended.
    pub memory_bytes: usize,
    /// Time for which it ran.
    pub cpu: Duration,
    /// Time that it took, waiting included, but not for a VM.
    pub wall: Duration,
    /// Fence that ended it where its own limits did not.
    pub fence: Option<Fence>,
}

/// Fences that end an event from outside of its VM, when the limits inside have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fence {
    /// The deadline of its running time.
    Deadline,
    /// The limit of its memory.
    Memory,
    /// A trap of the module.
    Trap,
    /// A panic of the host.
    Panic,
}

impl Fence {
    /// The word for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Fence::Deadline => "deadline",
            Fence::Memory => "memory",
            Fence::Trap => "trap",
            Fence::Panic => "panic",
        }
    }
}
