//! The sandbox, with the modules of each event, as the pipeline's engine for scripts.

use super::{RunFuture, RunOutcome, RunReport, ScriptEvent, ScriptRunner};
use howk_contract::ScriptError;
use howk_modules::{EventModules, ModuleHost};
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

/// Runs a script with the modules of its event. No credential of the webhook, and nothing that was decrypted,
/// is in the report's error: a script can put a secret that it has seen there.
pub(crate) async fn run_with(
    sandbox: &Sandbox,
    modules: &Arc<EventModules>,
    event: ScriptEvent,
) -> RunOutcome {
    let ScriptEvent { config_id, hash, source, input } = event;
    modules.hide_headers(&input.headers);
    let event = Event { config_id, hash, source, input, modules: modules.clone() };
    match sandbox.run(event).await {
        Outcome::Deferred => RunOutcome::Deferred,
        Outcome::Done(report) => RunOutcome::Done(RunReport {
            result: report.result.map_err(|error| modules.redact_error(&error)),
            cpu: report.cpu,
            wall: report.wall,
            fuel: report.fuel,
            memory_bytes: report.memory_bytes as u64,
        }),
    }
}

impl ScriptRunner for SandboxRunner {
    fn run(&self, event: ScriptEvent) -> RunFuture<'_, RunOutcome> {
        Box::pin(async move {
            let modules =
                self.modules.event(event.config_id.clone(), event.input.metadata.webhook_id.as_str());
            run_with(&self.sandbox, &Arc::new(modules), event).await
        })
    }

    fn check(&self, source: Arc<str>) -> RunFuture<'_, Result<(), ScriptError>> {
        Box::pin(async move { self.sandbox.check(&source).await })
    }

    fn prepare(&self, source: Arc<str>) -> RunFuture<'_, ()> {
        Box::pin(async move { self.sandbox.prepare(&source).await })
    }
}
