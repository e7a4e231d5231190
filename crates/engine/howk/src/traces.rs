//! Spans of webhooks and requests, sent to a collector as OTLP: JSON over HTTP.
//!
//! Keeps true: nobody waits for a collector. Spans that it does not take, or not in time, are dropped, and
//! the log says how many. All attempts of a webhook are of one trace, whose id is the webhook's.
//!
//! Not here: which spans there are, and what they tell; that is where the work is.

use crate::config::Tracing;
use howk_contract::Headers;
use howk_modules::{BodyLimit, ClientSettings, Guard, GuardedClient, HostPattern, IpNet, Method};
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Spans that wait to be sent; more are dropped.
const WAITING_MAX: usize = 8192;
/// Most spans of a request.
const BATCH_MAX: usize = 512;
/// Time between two requests.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest time that a collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for what is left at the end of the process.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);
/// Most bytes of a collector's answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Path of a collector for spans.
const PATH: &str = "/v1/traces";
/// Kind of a span inside of a process, and status of one that failed (OpenTelemetry's numbers).
const INTERNAL: u8 = 1;
const FAILED: u8 = 2;

/// The layer that makes spans, and the task that sends them. None without a collector.
pub(crate) fn start(settings: &Tracing) -> Option<(SpanLayer, Exporter)> {
    if settings.otlp_endpoint.is_empty() {
        return None;
    }
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let dropped = Arc::<AtomicU64>::default();
    let layer = SpanLayer { sender, dropped: Arc::clone(&dropped), sample: settings.sample };
    let url = format!("{}{PATH}", settings.otlp_endpoint.trim_end_matches('/'));
    Some((layer, Exporter { url, receiver, dropped }))
}

/// Makes a span of OTLP of each span of ours, when it ends.
#[derive(Debug)]
pub(crate) struct SpanLayer {
    sender: mpsc::Sender<Value>,
    dropped: Arc<AtomicU64>,
    sample: f64,
}

/// A span that has not ended.
struct Open {
    trace: u128,
    id: u64,
    parent: Option<u64>,
    began: SystemTime,
    fields: Fields,
    fault: Option<String>,
}

/// Attributes of a span.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push((field.name(), json!({ "intValue": value.to_string() })));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.push((field.name(), json!({ "intValue": value.to_string() })));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), json!({ "boolValue": value })));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.push((field.name(), json!({ "doubleValue": value })));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), json!({ "stringValue": value })));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), json!({ "stringValue": format!("{value:?}") })));
    }
}

/// The message of an event.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Fields {
    /// The trace that an id of a webhook names: it has as many bits.
    fn trace(&self) -> Option<u128> {
        let (_, id) = self.0.iter().find(|(name, _)| *name == "id")?;
        let id: ulid::Ulid = id["stringValue"].as_str()?.parse().ok()?;
        Some(id.0).filter(|trace| *trace != 0)
    }
}

/// A random number other than 0.
fn random_id() -> u64 {
    rand::random::<u64>().max(1)
}

fn nanoseconds(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

impl Open {
    fn finish(self, name: &str) -> Value {
        let attribute = |(key, value): (&str, Value)| json!({ "key": key, "value": value });
        let mut span = json!({
            "traceId": format!("{:032x}", self.trace),
            "spanId": format!("{:016x}", self.id),
            "name": name,
            "kind": INTERNAL,
            "startTimeUnixNano": nanoseconds(self.began),
            "endTimeUnixNano": nanoseconds(SystemTime::now()),
            "attributes": self.fields.0.into_iter().map(attribute).collect::<Vec<_>>(),
        });
        if let Some(parent) = self.parent {
            span["parentSpanId"] = format!("{parent:016x}").into();
        }
        if let Some(fault) = self.fault {
            span["status"] = json!({ "code": FAILED, "message": fault });
        }
        span
    }
}

impl SpanLayer {
    /// True if a trace is one of those that are sent. Each trace is, or is not, as a whole.
    #[expect(clippy::cast_precision_loss, reason = "a share of all numbers")]
    fn is_sampled(&self, trace: u128) -> bool {
        // The last bits of a webhook's id are random.
        self.sample >= 1.0 || (trace as u64 as f64) < self.sample * u64::MAX as f64
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for SpanLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let above = span
            .scope()
            .skip(1)
            .find_map(|above| above.extensions().get::<Open>().map(|open| (open.trace, open.id)));
        let trace = match above {
            Some((trace, _)) => trace,
            None => fields.trace().unwrap_or_else(|| u128::from(random_id()) << 64 | u128::from(random_id())),
        };
        if self.is_sampled(trace) {
            let parent = above.map(|(_, id)| id);
            let began = SystemTime::now();
            span.extensions_mut().insert(Open { trace, id: random_id(), parent, began, fields, fault: None });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            values.record(&mut open.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() != Level::ERROR {
            return;
        }
        if let Some(span) = context.event_span(event)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            let mut message = Message::default();
            event.record(&mut message);
            open.fault = Some(message.0);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        if self.sender.try_send(open.finish(span.name())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Sends spans to a collector.
#[derive(Debug)]
pub struct Exporter {
    url: String,
    receiver: mpsc::Receiver<Value>,
    dropped: Arc<AtomicU64>,
}

impl Exporter {
    /// Sends spans until `stop`, and then what is left.
    pub async fn run(mut self, stop: CancellationToken) {
        // The operator names the collector: it may be anywhere.
        let everywhere = [IpNet::V4(ipnet::Ipv4Net::default()), IpNet::V6(ipnet::Ipv6Net::default())];
        let settings = ClientSettings::new(Guard::new([HostPattern::Any], everywhere));
        let client = match GuardedClient::new(settings) {
            Ok(client) => client,
            Err(error) => return tracing::warn!(%error, "spans cannot be sent"),
        };
        let mut batch = Vec::new();
        let mut told_bad = false;
        loop {
            let some = async {
                tokio::time::sleep(PAUSE).await;
                self.receiver.recv_many(&mut batch, BATCH_MAX).await
            };
            let count = tokio::select! {
                () = stop.cancelled() => break,
                count = some => count,
            };
            if count == 0 {
                // Nothing makes spans any more.
                return;
            }
            let sent = self.send(&client, &mut batch, TIMEOUT).await;
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            match sent {
                Err(error) if !told_bad => {
                    tracing::warn!(%error, url = self.url, dropped, "spans are lost: the collector does not take them");
                    told_bad = true;
                }
                Ok(()) if dropped > 0 => tracing::warn!(dropped, "spans are lost: there were too many"),
                Ok(()) if told_bad => {
                    tracing::info!("the collector takes spans again");
                    told_bad = false;
                }
                _ => {}
            }
        }
        self.receiver.close();
        while self.receiver.recv_many(&mut batch, BATCH_MAX).await > 0 {
            if self.send(&client, &mut batch, LAST_TIMEOUT).await.is_err() {
                return;
            }
        }
    }

    /// Sends spans. None of them stays, whatever comes of it.
    async fn send(
        &self,
        client: &GuardedClient,
        batch: &mut Vec<Value>,
        timeout: Duration,
    ) -> Result<(), String> {
        let spans = std::mem::take(batch);
        let count = spans.len() as u64;
        let body = json!({ "resourceSpans": [{
            "resource": { "attributes": [
                { "key": "service.name", "value": { "stringValue": "howk" } },
                { "key": "service.version", "value": { "stringValue": env!("CARGO_PKG_VERSION") } },
            ] },
            "scopeSpans": [{ "scope": { "name": "howk" }, "spans": spans }],
        }] });
        let mut headers = Headers::new();
        headers.set(b"Content-Type", b"application/json").map_err(|error| error.to_string())?;
        let limit = BodyLimit::Refuse(ANSWER_BYTES_MAX);
        let answer =
            client.request(Method::POST, &self.url, &headers, body.to_string().into(), timeout, limit).await;
        let lost = |why: String| {
            self.dropped.fetch_add(count, Ordering::Relaxed);
            Err(why)
        };
        match answer {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => lost(format!("status {}", answer.status)),
            Err(error) => lost(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    fn layer(sample: f64, room: usize) -> (SpanLayer, mpsc::Receiver<Value>) {
        let (sender, receiver) = mpsc::channel(room);
        (SpanLayer { sender, dropped: Arc::default(), sample }, receiver)
    }

    #[test]
    fn attempts_of_a_webhook_are_of_one_trace() {
        let (layer, mut spans) = layer(1.0, 10);
        let id = ulid::Ulid::generate();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for attempt in 0..2_u32 {
                let span = tracing::info_span!("webhook", id = %id, attempt, late = tracing::field::Empty);
                span.record("late", true);
                span.in_scope(|| {
                    tracing::info_span!("part").in_scope(|| tracing::warn!("no fault"));
                    tracing::error!("it broke");
                });
            }
            tracing::info_span!("other").in_scope(|| {});
        });
        let all: Vec<Value> = std::iter::from_fn(|| spans.try_recv().ok()).collect();
        let names: Vec<_> = all.iter().map(|span| span["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["part", "webhook", "part", "webhook", "other"]);
        let trace = format!("{:032x}", id.0);
        assert!(all[..4].iter().all(|span| span["traceId"] == trace) && all[4]["traceId"] != trace);
        assert_eq!(all[0]["parentSpanId"], all[1]["spanId"]);
        assert!(all[1].get("parentSpanId").is_none() && all[0].get("status").is_none());
        assert_eq!(all[1]["status"], json!({ "code": 2, "message": "it broke" }));
        assert_eq!(all[3]["attributes"][1], json!({ "key": "attempt", "value": { "intValue": "1" } }));
        assert_eq!(all[3]["attributes"][2], json!({ "key": "late", "value": { "boolValue": true } }));
    }

    #[test]
    fn what_has_no_room_is_counted_and_a_share_is_taken() {
        let (full, _receiver) = layer(1.0, 1);
        let dropped = Arc::clone(&full.dropped);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(full), || {
            (0..4).for_each(|_| drop(tracing::info_span!("one")));
        });
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
        let (some, _receiver) = layer(0.25, 1);
        let taken = (0..4000).filter(|_| some.is_sampled(u128::from(rand::random::<u64>()))).count();
        assert!((700..1300).contains(&taken), "{taken}");
        let (none, _receiver) = layer(0.0, 1);
        assert!(!none.is_sampled(1 << 64));
    }
}
