//! The modules as one event sees them.

use crate::client::Response;
use crate::crypto::{KeyFailure, decrypt};
use crate::host::ModuleHost;
use crate::http::{Found, MadeUpAnswer, check_headers, script_error};
use crate::kv::{self, KvError, KvFuture, KvStore};
use crate::log::{EventLog, LogLine, escape};
use crate::redact::Redactor;
use crate::{HttpError, URL_BYTES_MAX};
use bytes::Bytes;
use howk_contract::{
    ConfigId, ErrorType, Headers, ModuleCall, ModuleFuture, ModuleReply, Modules, ScriptError,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Most characters of a key's name in a message.
const SHOWN_NAME_CHARS: usize = 64;

type Reply = Result<ModuleReply, ScriptError>;

/// The modules as one event sees them: its config's namespace, its counts of calls, its log.
#[derive(Debug)]
pub struct EventModules {
    host: Arc<ModuleHost>,
    config_id: ConfigId,
    kv: Arc<dyn KvStore>,
    /// Answers of a test; none for events that are no tests.
    made_up: Option<HashMap<String, MadeUpAnswer>>,
    http_calls: AtomicU32,
    kv_calls: AtomicU32,
    crypto_calls: AtomicU32,
    redactor: Redactor,
    log: EventLog,
}

impl EventModules {
    pub(crate) fn new(
        host: Arc<ModuleHost>,
        config_id: ConfigId,
        webhook_id: Arc<str>,
        kv: Arc<dyn KvStore>,
        made_up: Option<HashMap<String, MadeUpAnswer>>,
    ) -> Self {
        let log = EventLog::new(host.settings.log.clone(), config_id.clone(), webhook_id);
        EventModules {
            host,
            config_id,
            kv,
            made_up,
            http_calls: AtomicU32::new(0),
            kv_calls: AtomicU32::new(0),
            crypto_calls: AtomicU32::new(0),
            redactor: Redactor::default(),
            log,
        }
    }

    /// Lines that the script logged so far. If lines were dropped, the last one tells how many.
    pub fn logs(&self) -> Vec<LogLine> {
        self.log.lines()
    }

    /// Hides credentials among the headers of the webhook from the log of this event.
    pub fn hide_headers(&self, headers: &Headers) {
        self.redactor.hide_headers(headers);
    }

    /// A text without the secrets that this event has seen: for the message and the traceback of its error,
    /// which a script can put a secret into.
    pub fn redact(&self, text: &str) -> String {
        self.redactor.show(text.as_bytes(), text.len()).0
    }

    /// The error of this event without the secrets that it has seen, in its message and its traceback.
    #[must_use]
    pub fn redact_error(&self, error: &ScriptError) -> ScriptError {
        let message = self.redact(&error.message);
        let traceback = error.traceback.as_deref().map(|text| self.redact(text));
        ScriptError { message, traceback, ..error.clone() }
    }

    async fn answer(&self, call: ModuleCall) -> Reply {
        match call {
            ModuleCall::HttpGet { url, headers } => self.http_get(&url, &headers).await,
            ModuleCall::KvGet { key } => self.kv_get(key).await,
            ModuleCall::KvSet { key, value, ttl_seconds } => self.kv_set(key, value, ttl_seconds).await,
            ModuleCall::KvDel { key } => self.kv_del(key).await,
            ModuleCall::Decrypt { key_name, symmetric_key, data } => {
                self.decrypt(&key_name, symmetric_key, data).await
            }
            ModuleCall::Log { level, message, fields } => {
                self.log.add(level, &message, fields.as_deref(), &self.redactor);
                Ok(ModuleReply::Nil)
            }
        }
    }

    async fn http_get(&self, url: &[u8], pairs: &[(Bytes, Bytes)]) -> Reply {
        count(&self.http_calls, self.host.settings.http.calls, ErrorType::ModuleHttp, "http")?;
        for (name, value) in pairs {
            self.redactor.hide_header(&String::from_utf8_lossy(name), &String::from_utf8_lossy(value));
        }
        let headers = check_headers(pairs).map_err(|error| script_error(&error))?;
        let url = std::str::from_utf8(url)
            .map_err(|_| script_error(&HttpError::BadUrl("it is not UTF-8".into())))?;
        if let Some(response) = self.made_up_answer(url) {
            return Ok(reply(response));
        }
        let use_cache = self.made_up.is_none();
        let (answer, found) = self.host.fetcher.get(&self.config_id, url, headers, use_cache).await;
        let found = match found {
            Found::Hit => "hit",
            Found::Miss => "miss",
            Found::Joined => "joined",
            Found::Bypass => "bypass",
        };
        self.host.counts.add("http", "cache", found);
        let response = answer.map_err(|error| script_error(&error))?;
        Ok(reply(Response::clone(&response)))
    }

    /// The answer that a test makes up for a URL, which both may write in any way that means the same.
    fn made_up_answer(&self, url: &str) -> Option<Response> {
        let made_up = self.made_up.as_ref()?;
        let parse = |text: &str| url::Url::parse(text).ok();
        let asked = (url.len() <= URL_BYTES_MAX).then(|| parse(url)).flatten();
        let same = |known: &str| asked.is_some() && parse(known) == asked;
        let found =
            made_up.get(url).or_else(|| made_up.iter().find(|(known, _)| same(known)).map(|(_, made)| made));
        found.map(Response::from)
    }

    async fn kv_get(&self, key: Bytes) -> Reply {
        self.count_kv()?;
        kv::check_key(&key)?;
        let value = self
            .in_time(self.kv.get(&self.config_id, key))
            .await
            .map_err(|error| self.kv_error(&error, 0))?;
        Ok(value.map_or(ModuleReply::Nil, ModuleReply::Bytes))
    }

    async fn kv_set(&self, key: Bytes, value: Bytes, ttl_seconds: Option<f64>) -> Reply {
        self.count_kv()?;
        kv::check_key(&key)?;
        kv::check_value(&value)?;
        let settings = &self.host.settings.kv;
        let ttl = kv::check_ttl(ttl_seconds, settings.ttl_default)?;
        let bytes = (key.len() + value.len()) as u64;
        let set = self.kv.set(&self.config_id, key, value, ttl, settings.quota_bytes);
        self.in_time(set).await.map_err(|error| self.kv_error(&error, bytes))?;
        Ok(ModuleReply::Nil)
    }

    async fn kv_del(&self, key: Bytes) -> Reply {
        self.count_kv()?;
        kv::check_key(&key)?;
        self.in_time(self.kv.del(&self.config_id, key)).await.map_err(|error| self.kv_error(&error, 0))?;
        Ok(ModuleReply::Nil)
    }

    fn count_kv(&self) -> Result<(), ScriptError> {
        count(&self.kv_calls, self.host.settings.kv.calls, ErrorType::ModuleKv, "kv")
    }

    async fn in_time<T>(&self, asked: KvFuture<'_, T>) -> Result<T, KvError> {
        let late = |_| Err(KvError::Failed("no answer in time".into()));
        tokio::time::timeout(self.host.settings.kv.timeout, asked).await.unwrap_or_else(late)
    }

    fn kv_error(&self, error: &KvError, bytes: u64) -> ScriptError {
        if let KvError::Failed(why) = error
            && self.host.may_tell_store_failure()
        {
            tracing::warn!(config_id = self.config_id.as_str(), "the store of kv failed: {}", escape(why));
        }
        kv::script_error(error, bytes)
    }

    async fn decrypt(&self, key_name: &[u8], symmetric_key: Option<Bytes>, data: Bytes) -> Reply {
        let settings = &self.host.settings.crypto;
        count(&self.crypto_calls, settings.calls, ErrorType::ModuleCrypto, "crypto")?;
        let fail = |text: String| {
            ScriptError::new(ErrorType::ModuleCrypto, format!("crypto.decrypt_credential: {text}"))
        };
        let name = String::from_utf8_lossy(key_name).into_owned();
        let shown = escape(&name.chars().take(SHOWN_NAME_CHARS).collect::<String>());
        let unknown = || ScriptError {
            unknown_key: true,
            ..fail(format!("no key is named {shown:?} for this config"))
        };
        if !self.host.keys.has(&name, &self.config_id) {
            return Err(unknown());
        }
        let most = settings.argument_bytes_max;
        if data.len() > most || symmetric_key.as_ref().is_some_and(|key| key.len() > most) {
            return Err(fail(format!("an argument has more than {most} bytes")));
        }
        let permit = self.host.decryptions.clone().acquire_owned().await;
        let (keys, config_id) = (self.host.keys.clone(), self.config_id.clone());
        // The permit goes with the work: an event that stops waiting does not make room for more of it.
        let work = move || {
            let _permit = permit;
            let key = keys.key(&name, &config_id)?;
            Ok(decrypt(&key, symmetric_key.as_deref(), &data))
        };
        let done = tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| fail("it cannot run now".into()).retryable())?;
        match done {
            Ok(Ok(plain)) => {
                self.redactor.hide(&plain);
                Ok(ModuleReply::Bytes(Bytes::copy_from_slice(&plain)))
            }
            Ok(Err(_)) => Err(fail("cannot decrypt".into())),
            Err(KeyFailure::Unknown) => Err(unknown()),
            Err(KeyFailure::Unreadable(error)) => {
                tracing::error!(config_id = self.config_id.as_str(), "key {shown:?} cannot be read: {error}");
                Err(fail(format!("key {shown:?} cannot be read now")).retryable())
            }
        }
    }
}

impl Modules for EventModules {
    fn call(&self, call: ModuleCall) -> ModuleFuture<'_> {
        let (module, op) = match &call {
            ModuleCall::HttpGet { .. } => ("http", "get"),
            ModuleCall::KvGet { .. } => ("kv", "get"),
            ModuleCall::KvSet { .. } => ("kv", "set"),
            ModuleCall::KvDel { .. } => ("kv", "del"),
            ModuleCall::Decrypt { .. } => ("crypto", "decrypt_credential"),
            ModuleCall::Log { .. } => ("log", "log"),
        };
        Box::pin(async move {
            let reply = self.answer(call).await;
            let result = match &reply {
                Ok(_) => "ok",
                Err(error) if error.retryable => "retryable",
                Err(_) => "error",
            };
            self.host.counts.add(module, op, result);
            reply
        })
    }
}

/// Counts a call, if there may be one more.
fn count(calls: &AtomicU32, most: u32, error_type: ErrorType, module: &str) -> Result<(), ScriptError> {
    let next = |calls: u32| (calls < most).then_some(calls + 1);
    match calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
        Ok(_) => Ok(()),
        Err(_) => Err(ScriptError::new(error_type, format!("{module}: an event may make {most} calls"))),
    }
}

fn reply(response: Response) -> ModuleReply {
    ModuleReply::Response { status_code: response.status, headers: response.headers, body: response.body }
}
