//! One attempt of one webhook: its script, and its delivery.

use super::ending::Ending;
use super::gate::{Entered, Gates};
use crate::delivery::{Transport, TransportRequest, Verdict, outgoing_headers, verdict};
use crate::loader::Scripts;
use crate::pipeline::{DeliverySettings, Observed, Observer, RunOutcome, ScriptEvent, ScriptRunner};
use howk_contract::{EventInput, Reason, ScriptError, ScriptHash, Transform, Webhook};
use howk_ports::Clock;
use std::sync::Arc;

/// Parts that attempts have in common.
#[derive(Debug)]
pub(super) struct Attempts {
    pub(super) scripts: Scripts,
    pub(super) runner: Arc<dyn ScriptRunner>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) gates: Arc<Gates>,
    pub(super) delivery: DeliverySettings,
    pub(super) scripts_enabled: bool,
}

/// Request that is sent, and the script that made it.
struct Transformed {
    transform: Transform,
    script: Option<ScriptHash>,
}

impl Attempts {
    /// Makes an attempt.
    pub(super) async fn attempt(&self, webhook: &Webhook) -> Ending {
        let entered = match self.gates.enter(&webhook.config_id) {
            Ok(entered) => entered,
            Err(full) => return Ending::Deferred { because: full.as_str() },
        };
        let transformed = match webhook.script_hash {
            // Accepted without a script: sent as it is.
            None => Transformed {
                transform: Transform { headers: webhook.headers.clone(), ..Transform::default() },
                script: None,
            },
            Some(_) if !self.scripts_enabled => {
                return Ending::dead(Reason::ScriptDisabled, "script_disabled", "scripts are switched off");
            }
            Some(hash) => match self.transform(webhook, hash, &entered).await {
                Ok(transformed) => transformed,
                Err(ending) => return ending,
            },
        };
        self.deliver(webhook, transformed).await
    }

    /// Runs the webhook's script. There is no way from here to a delivery but through its result.
    async fn transform(
        &self,
        webhook: &Webhook,
        hash: ScriptHash,
        entered: &Entered,
    ) -> Result<Transformed, Ending> {
        let script = self.scripts.for_webhook(webhook, hash).await.map_err(failed)?;
        let turn = entered.script_turn().await;
        let turn = turn.map_err(|full| Ending::Deferred { because: full.as_str() })?;
        let event = ScriptEvent {
            config_id: webhook.config_id.clone(),
            hash: script.hash,
            source: Arc::clone(&script.source),
            input: EventInput {
                payload: webhook.payload.0.clone(),
                headers: webhook.headers.clone(),
                metadata: webhook.metadata(),
                previous_error: webhook.previous_error.clone(),
            },
        };
        let outcome = self.runner.run(event).await;
        drop(turn);
        let RunOutcome::Done(report) = outcome else { return Err(Ending::Deferred { because: "memory" }) };
        entered.used(report.cpu);
        self.observer.observe(Observed::Script {
            error: report.result.as_ref().err().map(|error| error.error_type),
            wall: report.wall,
            cpu: report.cpu,
            fuel: report.fuel,
            memory_bytes: report.memory_bytes,
        });
        let transform = report.result.map_err(failed)?;
        Ok(Transformed { transform, script: Some(script.hash) })
    }

    async fn deliver(&self, webhook: &Webhook, transformed: Transformed) -> Ending {
        let Transformed { transform, script } = transformed;
        let agent = &self.delivery.user_agent;
        let outgoing = match outgoing_headers(webhook, transform, agent, self.clock.now()) {
            Ok(outgoing) => outgoing,
            Err(error) => return Ending::dead(Reason::Unrecoverable, "delivery", &error.to_string()),
        };
        let request = TransportRequest {
            endpoint: webhook.endpoint.clone(),
            headers: outgoing.headers,
            body: outgoing.body,
            timeout: self.delivery.timeout,
            response_max_bytes: self.delivery.response_max_bytes,
        };
        let begin = self.clock.elapsed();
        let answer = self.transport.send(request).await;
        let time = self.clock.elapsed().saturating_sub(begin);
        let verdict = verdict(answer, self.clock.now());
        let result = match &verdict {
            Verdict::Success { .. } => "success",
            Verdict::Retry { .. } => "retry",
            Verdict::Unrecoverable { .. } => "unrecoverable",
        };
        self.observer.observe(Observed::Delivery { result, time });
        match verdict {
            Verdict::Success { status } => Ending::Delivered { status, time, script },
            Verdict::Retry { message, status, body, after } => {
                Ending::Failed { error_type: "delivery".into(), message, status, body, after }
            }
            Verdict::Unrecoverable { message, status, body } => Ending::Dead {
                reason: Reason::Unrecoverable,
                error_type: "delivery".into(),
                message,
                status,
                body,
            },
        }
    }
}

/// Tells what a script's error makes of its webhook.
#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn failed(error: ScriptError) -> Ending {
    let message = match error.line {
        // Lua's own messages begin with their place.
        Some(line) if !error.message.contains(&format!(":{line}:")) => {
            format!("line {line}: {}", error.message)
        }
        _ => error.message.clone(),
    };
    if error.retryable {
        let error_type = error.error_type.as_str().into();
        return Ending::Failed { error_type, message, status: None, body: None, after: None };
    }
    Ending::dead(Reason::of(&error), error.error_type.as_str(), &message)
}
