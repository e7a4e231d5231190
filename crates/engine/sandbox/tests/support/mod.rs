//! A sandbox for tests, with modules that answer from memory.
#![allow(dead_code, reason = "each test uses a part of it")]

use bytes::Bytes;
use howk_contract::{
    ErrorType, EventInput, Headers, LogLevel, Metadata, ModuleCall, ModuleFuture, ModuleReply, Modules,
    ScriptError, ScriptHash, Transform,
};
use howk_sandbox::{Event, Outcome, Report, Sandbox, Settings};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// Modules that answer from memory, with keys, URLs and names that do something else.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) kv: Mutex<HashMap<Bytes, Bytes>>,
    pub(crate) log: Mutex<Vec<(LogLevel, String, Option<String>)>>,
    pub(crate) calls: Mutex<Vec<ModuleCall>>,
    /// Signal of a read of the key `gate`, which then waits for `open`.
    pub(crate) arrived: Notify,
    pub(crate) open: Notify,
}

impl Fake {
    pub(crate) fn lines(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        let line = |(level, message, fields): &(LogLevel, String, Option<String>)| match fields {
            Some(fields) => format!("{level:?} {message} {fields}"),
            None => format!("{level:?} {message}"),
        };
        log.iter().map(line).collect()
    }

    async fn answer(&self, call: ModuleCall) -> Result<ModuleReply, ScriptError> {
        match call {
            ModuleCall::KvGet { key } => match &key[..] {
                b"fails" => Err(ScriptError::new(ErrorType::ModuleKv, "the store is away").retryable()),
                b"panics" => panic!("a fault of the store"),
                b"gate" => {
                    self.arrived.notify_one();
                    self.open.notified().await;
                    Ok(ModuleReply::Nil)
                }
                b"waits" => std::future::pending().await,
                b"sleeps" => {
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    Ok(ModuleReply::Nil)
                }
                b"wrong" => {
                    Ok(ModuleReply::Response { status_code: 1, headers: Vec::new(), body: Bytes::new() })
                }
                b"large" => Ok(ModuleReply::Bytes(vec![b'x'; 1 << 20].into())),
                b"huge" => Ok(ModuleReply::Bytes(vec![b'x'; 48 << 20].into())),
                _ => Ok(self
                    .kv
                    .lock()
                    .unwrap()
                    .get(&key)
                    .cloned()
                    .map_or(ModuleReply::Nil, ModuleReply::Bytes)),
            },
            ModuleCall::KvSet { key, value, .. } => {
                self.kv.lock().unwrap().insert(key, value);
                Ok(ModuleReply::Nil)
            }
            ModuleCall::KvDel { key } => {
                self.kv.lock().unwrap().remove(&key);
                Ok(ModuleReply::Nil)
            }
            ModuleCall::HttpGet { url, .. } if url.starts_with(b"http://refused") => {
                Err(ScriptError::new(ErrorType::ModuleHttp, "host is not allowed"))
            }
            ModuleCall::HttpGet { url, headers } => Ok(ModuleReply::Response {
                status_code: 200,
                headers: vec![
                    ("content-type".into(), "text/plain".into()),
                    ("x-n".into(), format!("{}", headers.len()).into()),
                ],
                body: url,
            }),
            ModuleCall::Decrypt { key_name, .. } if &key_name[..] == b"unknown" => {
                let error = ScriptError::new(ErrorType::ModuleCrypto, "no key of that name is configured");
                Err(ScriptError { unknown_key: true, ..error })
            }
            ModuleCall::Decrypt { symmetric_key, data, .. } => {
                let key = symmetric_key.unwrap_or_else(|| "-".into());
                Ok(ModuleReply::Bytes([&key[..], b"|", &data[..]].concat().into()))
            }
            ModuleCall::Log { level, message, fields } => {
                let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
                self.log.lock().unwrap().push((level, text(message), fields.map(text)));
                Ok(ModuleReply::Nil)
            }
        }
    }
}

impl Modules for Fake {
    fn call(&self, call: ModuleCall) -> ModuleFuture<'_> {
        self.calls.lock().unwrap().push(call.clone());
        Box::pin(self.answer(call))
    }
}

/// Settings that end no honest script on a slow machine.
pub(crate) fn settings() -> Settings {
    Settings {
        timeout: Duration::from_secs(20),
        wall_timeout: Duration::from_mins(1),
        threads: 2,
        ..Settings::default()
    }
}

/// The sandbox that most tests of a file share.
pub(crate) fn shared() -> &'static Sandbox {
    static SHARED: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new(settings()).unwrap());
    &SHARED
}

/// The input of most tests.
pub(crate) fn input(payload: &[u8]) -> EventInput {
    let mut headers = Headers::new();
    for (name, value) in
        [("Content-Type", "application/json"), ("X-Request-Id", "abc"), ("User-Agent", "client/1")]
    {
        headers.set(name.as_bytes(), value.as_bytes()).unwrap();
    }
    EventInput {
        payload: payload.to_vec().into(),
        headers,
        metadata: Metadata {
            webhook_id: "01HZX3".into(),
            config_id: "cfg".parse().unwrap(),
            attempt: 0,
            max_attempts: 20,
            created_at: "2026-11-28T01:02:03.004Z".parse().unwrap(),
        },
        previous_error: None,
    }
}

/// An event of a script.
pub(crate) fn event(source: &str, input: EventInput, modules: Arc<Fake>) -> Event {
    Event {
        config_id: input.metadata.config_id.clone(),
        hash: ScriptHash::of(source),
        source: source.into(),
        input,
        modules,
    }
}

/// The runtime that tests call from.
pub(crate) fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    });
    &RUNTIME
}

/// Runs an event to its report.
pub(crate) fn report_of(sandbox: &Sandbox, event: Event) -> Report {
    match runtime().block_on(sandbox.run(event)) {
        Outcome::Done(report) => report,
        Outcome::Deferred => panic!("deferred"),
    }
}

/// Runs a script on an input.
pub(crate) fn run_with(
    source: &str,
    input: EventInput,
    modules: &Arc<Fake>,
) -> Result<Transform, ScriptError> {
    report_of(shared(), event(source, input, Arc::clone(modules))).result
}

/// Runs a script on a small payload.
pub(crate) fn run(source: &str) -> Result<Transform, ScriptError> {
    run_with(source, input(b"{\"a\":1}"), &Arc::default())
}

/// Runs a script that must succeed, and returns its body.
pub(crate) fn body(source: &str) -> String {
    let transform = run(source).unwrap_or_else(|error| panic!("{source}: {error} {:?}", error.traceback));
    String::from_utf8_lossy(&transform.body.unwrap_or_default()).into_owned()
}

/// The error of a script that fails.
pub(crate) fn error(source: &str) -> ScriptError {
    match run(source) {
        Ok(transform) => panic!("{source}: succeeded with {transform:?}"),
        Err(error) => error,
    }
}
