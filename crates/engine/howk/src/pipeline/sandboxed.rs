//! The sandbox, with the modules of each event, as the pipeline's engine for scripts.

use super::{RunFuture, RunOutcome, RunReport, ScriptEvent, ScriptRunner};
use howk_contract::ScriptError;
use howk_modules::ModuleHost;
use howk_sandbox::{Event, Outcome, Sandbox};
use std::sync::Arc;

/// Runs scripts in the sandbox.
#[derive(Debug, Clone)]
pub struct SandboxRunner {
    sandbox: Sandbox,
    modules: Arc<ModuleHost>,
}

impl SandboxRunner {
    /// A runner over a sandbox, whose events have these modules.
    pub fn new(sandbox: Sandbox, modules: Arc<ModuleHost>) -> Self {
        SandboxRunner { sandbox, modules }
    }
}

impl ScriptRunner for SandboxRunner {
    fn run(&self, event: ScriptEvent) -> RunFuture<'_, RunOutcome> {
        Box::pin(async move {
            let ScriptEvent { config_id, hash, source, input } = event;
            let modules = self.modules.event(config_id.clone(), input.metadata.webhook_id.as_str());
            modules.hide_headers(&input.headers);
            let modules = Arc::new(modules);
            let event = Event { config_id, hash, source, input, modules: modules.clone() };
            match self.sandbox.run(event).await {
                Outcome::Deferred => RunOutcome::Deferred,
                Outcome::Done(report) => RunOutcome::Done(RunReport {
                    // A script can put a secret that it has seen into its error.
                    result: report.result.map_err(|error| modules.redact_error(&error)),
                    cpu: report.cpu,
                    wall: report.wall,
                    fuel: report.fuel,
                    memory_bytes: report.memory_bytes as u64,
                }),
            }
        })
    }

    fn check(&self, source: Arc<str>) -> RunFuture<'_, Result<(), ScriptError>> {
        Box::pin(async move { self.sandbox.check(&source).await })
    }

    fn prepare(&self, source: Arc<str>) -> RunFuture<'_, ()> {
        Box::pin(async move { self.sandbox.prepare(&source).await })
    }
}
