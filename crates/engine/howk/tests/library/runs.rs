//! Runs of a script with what a case gives it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use howk_contract::{EventInput, Headers, Metadata, PreviousError, ScriptError, ScriptHash, Transform};
use howk_modules::{Keyring, MadeUpAnswer, MemoryKv, ModuleHost};
use howk_sandbox::{Event, Outcome, Sandbox, Settings};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).expect("three folders up").to_path_buf()
}

/// Parts of `metadata` that a case may give.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GivenMetadata {
    webhook_id: Option<String>,
    config_id: Option<String>,
    attempt: u32,
    max_attempts: Option<u32>,
    created_at: Option<String>,
}

/// The inputs of a run, as the test endpoint takes them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Given {
    payload: Option<Box<RawValue>>,
    payload_base64: Option<String>,
    #[serde(default)]
    headers: Headers,
    #[serde(default)]
    metadata: GivenMetadata,
    previous_error: Option<PreviousError>,
    #[serde(default)]
    kv: HashMap<String, String>,
    #[serde(default)]
    http: HashMap<String, MadeUpAnswer>,
}

/// The outcome of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) result: Result<Transform, ScriptError>,
    pub(crate) payload: Bytes,
    pub(crate) messages: Vec<String>,
}

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| {
    // Long beside what any script here needs, so that a slow machine ends none.
    let timeout = Duration::from_secs(3);
    Sandbox::new(Settings { timeout, wall_timeout: Duration::from_mins(5), ..Settings::default() })
        .expect("the sandbox starts")
});

static MODULES: LazyLock<Arc<ModuleHost>> = LazyLock::new(|| {
    let keys = Arc::new(Keyring::new([]));
    let settings = howk_modules::Settings::default();
    ModuleHost::new(settings, Arc::new(MemoryKv::new()), keys).expect("the modules start")
});

/// Runs a script.
pub(crate) async fn run(source: &str, given: Given) -> Ran {
    let payload: Bytes = match (given.payload, given.payload_base64) {
        (Some(json), None) => json.get().to_owned().into(),
        (None, Some(text)) => STANDARD.decode(text).expect("base64").into(),
        other => panic!("a case has one payload, not {other:?}"),
    };
    let meta = given.metadata;
    let config_id = meta.config_id.as_deref().unwrap_or("shop").parse().expect("a config id");
    let metadata = Metadata {
        webhook_id: meta.webhook_id.unwrap_or_else(|| "01JTEST".into()),
        config_id,
        attempt: meta.attempt,
        max_attempts: meta.max_attempts.unwrap_or(20),
        created_at: meta.created_at.as_deref().unwrap_or("2026-01-02T03:04:05Z").parse().expect("a time"),
    };
    let kv = given.kv.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
    let modules = Arc::new(MODULES.test_event(metadata.config_id.clone(), kv, given.http));
    let event = Event {
        config_id: metadata.config_id.clone(),
        hash: ScriptHash::of(source),
        source: source.into(),
        input: EventInput {
            payload: payload.clone(),
            headers: given.headers,
            metadata,
            previous_error: given.previous_error,
        },
        modules: modules.clone(),
    };
    match SANDBOX.run(event).await {
        Outcome::Done(report) => {
            let messages = modules.logs().into_iter().map(|line| line.message).collect();
            Ran { result: report.result, payload, messages }
        }
        Outcome::Deferred => panic!("nobody else needs the memory"),
    }
}
