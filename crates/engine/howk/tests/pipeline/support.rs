//! A pipeline in a test: its store, its clock, its engine and its endpoints.

use bytes::Bytes;
use howk::delivery::{Transport, TransportError, TransportFuture, TransportReply, TransportRequest};
use howk::loader::{PutScript, StoredScript};
use howk::pipeline::{
    EnqueueRequest, Observed, Observer, Parts, Pipeline, PipelineSettings, Roles, RunFuture, RunOutcome,
    RunReport, ScriptEvent, ScriptRunner, StatusRecord, WebhookState,
};
use howk_contract::{ConfigId, ErrorType, Headers, ScriptError, Transform};
use howk_ports::{
    Clock, Embedded, EmbeddedSettings, Log, Record, State, TailEvent, TailScope, TestClock, Topic,
};
pub(crate) use howk_testing::Folder;
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_mins(2);

/// The time at which tests begin.
pub(crate) const BEGIN: &str = "2026-01-02T03:04:05Z";

pub(crate) async fn comes<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("did not come: {what}"))
}

/// A little time, before something is looked at again.
pub(crate) async fn step() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

/// Time in which nothing is to happen.
pub(crate) async fn meanwhile() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// Asks again and again until the answer is yes.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            step().await;
        }
    };
    comes(what, waiting).await;
}

/// An engine whose scripts are words.
///
/// `mark`: puts `!` before the body, and the hash into a header. `fail`: a runtime error. `kv`: an error that
/// is worth another attempt. `kv N`: the same at the first N attempts, then as `mark`. `defer N`: no room N
/// times, then as `mark`. `panic`: panics. `hang`: never ends. `syntax ...` does not compile. `gate`: as
/// `mark`, once the gate is opened.
#[derive(Debug, Default)]
pub(crate) struct WordRunner {
    pub(crate) runs: AtomicU32,
    pub(crate) running: AtomicU32,
    pub(crate) most: AtomicU32,
    pub(crate) prepared: Mutex<Vec<String>>,
    pub(crate) gate: tokio::sync::Notify,
    deferred: Mutex<HashMap<String, u32>>,
}

fn marked(event: &ScriptEvent) -> Transform {
    let mut headers = event.input.headers.clone();
    headers.set(b"X-Script", event.hash.to_string().as_bytes()).unwrap();
    let body = [b"!", &event.input.payload[..]].concat();
    Transform { body: Some(body.into()), headers, opt_out_default_headers: false }
}

impl WordRunner {
    async fn result(&self, event: &ScriptEvent) -> Option<Result<Transform, ScriptError>> {
        let mut words = event.source.split(' ');
        let word = words.next().unwrap_or_default();
        let number = words.next().and_then(|word| word.parse::<u32>().ok());
        let attempt = event.input.metadata.attempt;
        let kv = || ScriptError::new(ErrorType::ModuleKv, "the store failed").retryable();
        Some(match word {
            "fail" => Err(ScriptError { line: Some(3), ..ScriptError::new(ErrorType::Runtime, "no") }),
            "kv" if number.is_none_or(|first| attempt < first) => Err(kv()),
            "defer" => {
                let mut deferred = self.deferred.lock().unwrap();
                let times = deferred.entry(event.input.metadata.webhook_id.clone()).or_default();
                *times += 1;
                if *times <= number.unwrap_or(1) {
                    return None;
                }
                Ok(marked(event))
            }
            "panic" => panic!("a script made the engine panic"),
            "hang" => std::future::pending().await,
            "gate" => {
                self.gate.notified().await;
                Ok(marked(event))
            }
            _ => Ok(marked(event)),
        })
    }
}

impl ScriptRunner for WordRunner {
    fn run(&self, event: ScriptEvent) -> RunFuture<'_, RunOutcome> {
        Box::pin(async move {
            self.runs.fetch_add(1, Ordering::Relaxed);
            let running = self.running.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(running, Ordering::Relaxed);
            let result = self.result(&event).await;
            self.running.fetch_sub(1, Ordering::Relaxed);
            let Some(result) = result else { return RunOutcome::Deferred };
            let (cpu, wall) = (Duration::from_micros(50), Duration::from_micros(60));
            RunOutcome::Done(RunReport { result, cpu, wall, fuel: 1, memory_bytes: 1 })
        })
    }

    fn check(&self, source: Arc<str>) -> RunFuture<'_, Result<(), ScriptError>> {
        let error = ScriptError { line: Some(1), ..ScriptError::new(ErrorType::Syntax, "unexpected word") };
        let is_fine = !source.starts_with("syntax");
        Box::pin(async move { is_fine.then_some(()).ok_or(error) })
    }

    fn prepare(&self, source: Arc<str>) -> RunFuture<'_, ()> {
        self.prepared.lock().unwrap().push(source.to_string());
        Box::pin(async {})
    }
}

/// A request that has arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) webhook_id: String,
    pub(crate) attempt: u32,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
}

/// Endpoints whose paths say what they do: `/ok`; `/status/N`; `/flaky/N`, which answers 503 to the first N
/// attempts; `/after/N`, which answers 429 with `Retry-After: N` to the first; `/lost`, which is not reached;
/// `/guarded`, which may not be; `/hang`, which never answers; `/panic`.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) arrivals: Mutex<Vec<Arrival>>,
    /// True once something has arrived that is not marked, at an endpoint whose webhooks have scripts.
    pub(crate) raw: AtomicBool,
}

impl Endpoints {
    pub(crate) fn of(&self, webhook_id: &str) -> Vec<Arrival> {
        let arrivals = self.arrivals.lock().unwrap();
        arrivals.iter().filter(|arrival| arrival.webhook_id == webhook_id).cloned().collect()
    }
}

impl Transport for Endpoints {
    fn send(&self, request: TransportRequest) -> TransportFuture<'_> {
        Box::pin(async move {
            let header = |name| request.headers.get(name).unwrap_or_default().to_owned();
            let attempt = header("X-Webhook-Attempt").parse::<u32>().unwrap() - 1;
            if request.endpoint.contains("scripted") && !request.body.starts_with(b"!") {
                self.raw.store(true, Ordering::Relaxed);
            }
            let arrival = Arrival {
                webhook_id: header("X-Webhook-ID"),
                attempt,
                headers: request.headers.clone(),
                body: request.body.clone(),
            };
            self.arrivals.lock().unwrap().push(arrival);
            let mut parts = request.endpoint.rsplit('/');
            let (last, before) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let number = last.parse::<u16>().unwrap_or_default();
            let answer = |status| {
                let body = Bytes::from(format!("answer {status}"));
                Ok(TransportReply { status, retry_after: None, body })
            };
            let error = |is_retryable| {
                Err(TransportError { message: "cannot connect: refused".into(), is_retryable })
            };
            match (before, last) {
                ("status", _) => answer(number),
                ("flaky", _) => answer(if attempt < u32::from(number) { 503 } else { 204 }),
                ("after", _) if attempt == 0 => {
                    let retry_after = Some(number.to_string());
                    Ok(TransportReply { status: 429, retry_after, body: Bytes::new() })
                }
                (_, "lost") => error(true),
                (_, "guarded") => error(false),
                (_, "hang") => std::future::pending().await,
                (_, "panic") => panic!("an endpoint made the transport panic"),
                _ => answer(200),
            }
        })
    }
}

/// An observer that counts.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<HashMap<String, u64>>);

impl Counts {
    pub(crate) fn get(&self, word: &str) -> u64 {
        self.0.lock().unwrap().get(word).copied().unwrap_or_default()
    }
}

impl Observer for Counts {
    fn observe(&self, observed: Observed) {
        let word = match observed {
            Observed::Received => "received".into(),
            Observed::Reload { result, .. } => format!("reload {result}"),
            Observed::ScriptLookUp { tier, found } => format!("look-up {tier} {found}"),
            Observed::Deferred { because } => format!("deferred {because}"),
            Observed::Delivery { result, .. } => format!("delivery {result}"),
            Observed::Retry => "retry".into(),
            Observed::DeadLetter(reason) => format!("dead {reason}"),
            Observed::Unreadable => "unreadable".into(),
            Observed::Panic => "panic".into(),
            Observed::RetriesPending(count) => format!("waiting {count}"),
            _ => return,
        };
        *self.0.lock().unwrap().entry(word).or_default() += 1;
    }
}

/// Parts that outlive pipelines: clock, engine, endpoints, counts.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) runner: Arc<WordRunner>,
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) counts: Arc<Counts>,
}

impl World {
    pub(crate) fn new() -> Self {
        World {
            clock: Arc::new(TestClock::new(BEGIN.parse().unwrap())),
            runner: Arc::default(),
            endpoints: Arc::default(),
            counts: Arc::default(),
        }
    }

    pub(crate) fn memory(&self) -> Embedded {
        Embedded::in_memory(EmbeddedSettings::default(), self.clock.clone()).unwrap()
    }

    pub(crate) fn parts(&self, log: Arc<dyn Log>, state: Arc<dyn State>) -> Parts {
        Parts {
            log,
            state,
            clock: self.clock.clone(),
            runner: self.runner.clone(),
            transport: self.endpoints.clone(),
            observer: self.counts.clone(),
        }
    }

    /// A pipeline over a store, with all roles, once it is ready.
    pub(crate) async fn start(&self, store: &Embedded, settings: PipelineSettings) -> Running {
        let parts = self.parts(Arc::new(store.clone()), Arc::new(store.clone()));
        let running = Running { pipeline: Pipeline::new(parts, settings), world: self.clone() };
        running.pipeline.start(Roles::ALL);
        until("the scripts", async || running.pipeline.readiness().await.is_ready()).await;
        running
    }
}

/// Settings with which scripts run.
pub(crate) fn settings() -> PipelineSettings {
    PipelineSettings { scripts_enabled: true, ..PipelineSettings::default() }
}

pub(crate) fn config(id: &str) -> ConfigId {
    id.parse().unwrap()
}

/// A webhook of a config to an endpoint.
pub(crate) fn webhook(id: &str, path: &str) -> EnqueueRequest {
    EnqueueRequest {
        config_id: config(id),
        endpoint: format!("https://example.com/{path}"),
        payload: Bytes::from_static(b"payload"),
        headers: Headers::new(),
        idempotency_key: None,
        signing_secret: None,
        max_attempts: None,
        require_script: false,
    }
}

/// A pipeline that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) pipeline: Pipeline,
    pub(crate) world: World,
}

impl Running {
    pub(crate) async fn put(&self, id: &str, source: &str) -> Arc<StoredScript> {
        let put = PutScript {
            config_id: config(id),
            lua_code: source.into(),
            version: None,
            if_match: howk::loader::IfMatch::Always,
        };
        comes("a script", self.pipeline.scripts().put(put)).await.unwrap()
    }

    pub(crate) async fn enqueue(&self, request: EnqueueRequest) -> String {
        comes("an acknowledgement", self.pipeline.queue().enqueue(request)).await.unwrap().webhook_id
    }

    pub(crate) async fn status(&self, webhook_id: &str) -> StatusRecord {
        self.pipeline.statuses().get(webhook_id).await.unwrap().expect("a status")
    }

    /// Waits for a state of a webhook, while the clock stands still.
    pub(crate) async fn reaches(&self, webhook_id: &str, state: WebhookState) -> StatusRecord {
        until("a state of a webhook", async || self.status(webhook_id).await.state == state).await;
        self.status(webhook_id).await
    }

    /// Waits for the end of a webhook, and lets time pass.
    pub(crate) async fn ends(&self, webhook_id: &str) -> StatusRecord {
        until("the end of a webhook", async || {
            let state = self.status(webhook_id).await.state;
            let is_over = matches!(state, WebhookState::Delivered | WebhookState::Dead);
            if !is_over {
                self.world.clock.advance(Duration::from_secs(1));
            }
            is_over
        })
        .await;
        self.status(webhook_id).await
    }

    pub(crate) async fn records(&self, topic: Topic) -> Vec<Record> {
        records(&*self.pipeline.parts().log, topic).await
    }
}

/// All records of a topic.
pub(crate) async fn records(log: &dyn Log, topic: Topic) -> Vec<Record> {
    let mut tail = log.tail(topic, TailScope::All).await.unwrap();
    let mut records = Vec::new();
    loop {
        match comes("a record", tail.next()).await.unwrap() {
            TailEvent::Record(record) => records.push(record),
            _ => return records,
        }
    }
}

pub(crate) fn json(record: &Record) -> serde_json::Value {
    serde_json::from_slice(record.value.as_deref().expect("a value")).unwrap()
}

/// Numbers that are the same in each run.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % limit
    }
}

/// The time of the test's clock.
pub(crate) fn now(world: &World) -> jiff::Timestamp {
    world.clock.now()
}
