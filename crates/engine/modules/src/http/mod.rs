//! `http`: requests of scripts.

mod cache;
mod freshness;

pub(crate) use cache::{AnswerCache, Found, RequestKey};

use crate::client::{BodyLimit, GuardedClient, Response};
use crate::guard::HostPattern;
use crate::http_error::HttpError;
use bytes::Bytes;
use freshness::wish;
use futures_util::future::BoxFuture;
use howk_contract::{ConfigId, ErrorType, Headers, Payload, ScriptError};
use http::Method;
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// Most headers of a script's request.
const HEADERS_MAX: usize = 64;
/// Most bytes of such a header: name and value.
const HEADER_BYTES_MAX: usize = 8 << 10;

/// Settings of the requests of scripts.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Hosts that scripts may reach.
    pub allowed_hosts: Vec<HostPattern>,
    /// Ranges of addresses that they may reach though these are not public.
    pub allow_cidrs: Vec<IpNet>,
    /// Longest time of a request, from the look-up to the last byte.
    pub timeout: Duration,
    /// Most bytes of an answer's body.
    pub body_bytes_max: usize,
    /// Most calls of an event.
    pub calls: u32,
    /// True if answers are given again, and equal requests at the same time are made once.
    pub cache_enabled: bool,
    /// Time for which an answer is given again, if its server does not say less.
    pub cache_ttl: Duration,
    /// Most bytes of all answers that are kept.
    pub cache_bytes: u64,
    /// Certificates of authorities that are trusted beside those of the web, in DER.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings {
            allowed_hosts: vec![HostPattern::Any],
            allow_cidrs: Vec::new(),
            timeout: Duration::from_secs(5),
            body_bytes_max: 1 << 20,
            calls: 10,
            cache_enabled: true,
            cache_ttl: Duration::from_mins(5),
            cache_bytes: 64 << 20,
            extra_roots: Vec::new(),
        }
    }
}

/// An answer that a test makes up for a URL.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeUpAnswer {
    /// Status of the answer.
    #[serde(default = "ok")]
    pub status_code: u16,
    /// Headers of the answer.
    #[serde(default)]
    pub headers: Headers,
    /// Body of the answer.
    #[serde(default)]
    pub body: Payload,
}

fn ok() -> u16 {
    200
}

impl From<&MadeUpAnswer> for Response {
    fn from(made_up: &MadeUpAnswer) -> Response {
        let lower = |(name, value): (&str, &str)| {
            (name.to_ascii_lowercase(), Bytes::copy_from_slice(value.as_bytes()))
        };
        Response {
            status: made_up.status_code,
            headers: made_up.headers.iter().map(lower).collect(),
            body: made_up.body.0.clone(),
            cut: false,
        }
    }
}

/// Maker of the requests of scripts.
#[derive(Debug)]
pub(crate) struct Fetcher {
    client: GuardedClient,
    cache: Option<Arc<AnswerCache>>,
    timeout: Duration,
    body_bytes_max: usize,
}

impl Fetcher {
    pub(crate) fn new(client: GuardedClient, settings: &HttpSettings) -> Self {
        let cache =
            settings.cache_enabled.then(|| AnswerCache::new(settings.cache_bytes, settings.cache_ttl));
        Fetcher { client, cache, timeout: settings.timeout, body_bytes_max: settings.body_bytes_max }
    }

    /// The answer to a request of a config's script.
    pub(crate) async fn get(
        &self,
        config: &ConfigId,
        url: &str,
        headers: Headers,
        use_cache: bool,
    ) -> (Result<Arc<Response>, HttpError>, Found) {
        let url = match self.client.guard().check_url(url) {
            Ok(url) => String::from(url),
            Err(error) => return (Err(error.into()), Found::Bypass),
        };
        let wish = wish(&headers);
        let lower = |(name, value): (&str, &str)| (name.to_ascii_lowercase(), value.to_owned());
        let mut sorted: Vec<_> = headers.iter().map(lower).collect();
        sorted.sort();
        let key = RequestKey { config: config.clone(), url: url.clone(), headers: sorted };
        let (client, timeout, limit) =
            (self.client.clone(), self.timeout, BodyLimit::Refuse(self.body_bytes_max));
        let fetch = move || -> BoxFuture<'static, _> {
            let (client, url, headers) = (client.clone(), url.clone(), headers.clone());
            Box::pin(async move {
                client.request(Method::GET, &url, &headers, Bytes::new(), timeout, limit).await.map(Arc::new)
            })
        };
        match &self.cache {
            Some(cache) if use_cache => cache.get(key, wish, fetch).await,
            _ => (fetch().await, Found::Bypass),
        }
    }
}

/// Error that a script gets for a request without an answer.
pub(crate) fn script_error(error: &HttpError) -> ScriptError {
    let known = ScriptError::new(ErrorType::ModuleHttp, format!("http.get: {error}"));
    if error.is_retryable() { known.retryable() } else { known }
}

/// The headers of a script's request.
pub(crate) fn check_headers(pairs: &[(Bytes, Bytes)]) -> Result<Headers, HttpError> {
    let bad = HttpError::BadHeader;
    if pairs.len() > HEADERS_MAX {
        return Err(bad(format!("the request has {} headers, and may have {HEADERS_MAX}", pairs.len())));
    }
    let mut headers = Headers::new();
    for (name, value) in pairs {
        if name.len() + value.len() > HEADER_BYTES_MAX {
            return Err(bad(format!("a header of the request has more than {HEADER_BYTES_MAX} bytes")));
        }
        let before = headers.len();
        let known = std::str::from_utf8(name).is_ok_and(|name| headers.get(name).is_some());
        headers.set(name, value).map_err(|error| bad(error.to_string()))?;
        if known || (headers.len() == before && !value.is_empty()) {
            let name = String::from_utf8_lossy(name);
            return Err(bad(format!("header {name} is given twice")));
        }
    }
    Ok(headers)
}
