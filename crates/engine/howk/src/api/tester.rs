//! Running a script once, without a webhook: for the test endpoint and the command line.

use crate::pipeline::{RunOutcome, ScriptEvent, run_with};
use bytes::Bytes;
use howk_contract::{ConfigId, EventInput, ScriptError, ScriptHash, Transform};
use howk_modules::{LogLine, MadeUpAnswer, ModuleHost};
use howk_sandbox::Sandbox;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Runs scripts on made-up events. Its clones share sandbox and modules.
#[derive(Debug, Clone)]
pub struct Tester {
    sandbox: Sandbox,
    modules: Arc<ModuleHost>,
}

/// A made-up event.
#[derive(Debug, Clone)]
pub struct TestEvent {
    /// Config of the script.
    pub config_id: ConfigId,
    /// The source.
    pub source: Arc<str>,
    /// The input of the script.
    pub input: EventInput,
    /// The store of keys and values at its beginning.
    pub kv: HashMap<Bytes, Bytes>,
    /// Made-up answers by URL.
    pub http: HashMap<String, MadeUpAnswer>,
}

/// An outcome of a made-up event.
#[derive(Debug, Clone)]
pub enum TestRun {
    /// The script ran, or failed.
    Done(TestReport),
    /// The script did not run: there was no memory for it.
    Deferred,
}

/// A script's result on a made-up event.
#[derive(Debug, Clone)]
pub struct TestReport {
    /// The request, or the error.
    pub result: Result<Transform, ScriptError>,
    /// Lines that it logged.
    pub logs: Vec<LogLine>,
    /// Time that it took, waiting included.
    pub wall: Duration,
    /// Ticks.
    pub fuel: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
}

impl Tester {
    /// A tester over a sandbox and modules.
    pub fn new(sandbox: Sandbox, modules: Arc<ModuleHost>) -> Self {
        Tester { sandbox, modules }
    }

    /// Asks whether a source compiles.
    ///
    /// # Errors
    /// Its error, with a line.
    pub async fn check(&self, source: &str) -> Result<(), ScriptError> {
        self.sandbox.check(source).await
    }

    /// Runs a script. Nothing that it stores stays.
    pub async fn run(&self, test: TestEvent) -> TestRun {
        let TestEvent { config_id, source, input, kv, http } = test;
        let modules = Arc::new(self.modules.test_event(config_id.clone(), kv, http));
        let hash = ScriptHash::of(&*source);
        let event = ScriptEvent { config_id, hash, source, input };
        match run_with(&self.sandbox, &modules, event).await {
            RunOutcome::Deferred => TestRun::Deferred,
            RunOutcome::Done(report) => TestRun::Done(TestReport {
                result: report.result,
                logs: modules.logs(),
                wall: report.wall,
                fuel: report.fuel,
                memory_bytes: report.memory_bytes,
            }),
        }
    }
}
