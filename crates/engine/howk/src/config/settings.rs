//! Settings with their types, as the parts of the engine take them.

use super::shape::{CryptoKey, LogFormat, Token, Value};
use crate::pipeline::Versions;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident $section:literal { $($key:literal $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone)]
            pub struct $name {
                $(
                    #[doc = concat!("`", $section, ".", $key, "`.")]
                    pub $field: $type,
                )*
            }

            impl $name {
                fn of(get: Get<'_>) -> Self {
                    $name { $($field: <$type>::read(get(concat!($section, ".", $key))),)* }
                }

                #[cfg(test)]
                const PATHS: &[&str] = &[$(concat!($section, ".", $key),)*];
            }
        )*

        #[cfg(test)]
        fn paths() -> Vec<&'static str> {
            [$($name::PATHS,)*].concat()
        }
    };
}

/// The value of a key, if it has one; one that has none was refused, and that is told elsewhere.
type Get<'a> = &'a dyn Fn(&str) -> Option<&'a Value>;

sections! {
    /// Section `api`.
    Api "api" {
        "listen" listen: SocketAddr,
        "tokens" tokens: Vec<Token>,
        "max_body_bytes" max_body_bytes: usize,
        "max_payload_bytes" max_payload_bytes: usize,
        "max_json_depth" max_json_depth: usize,
        "max_requests" max_requests: usize,
        "max_connections" max_connections: usize,
        "request_timeout" request_timeout: Duration,
        "header_timeout" header_timeout: Duration,
        "retry_after" retry_after: Duration,
    }
    /// Section `data`.
    Data "data" {
        "dir" dir: PathBuf,
        "max_bytes" max_bytes: u64,
    }
    /// Section `kafka`.
    Kafka "kafka" {
        "brokers" brokers: Vec<String>,
    }
    /// Section `redis`.
    Redis "redis" {
        "url" url: String,
        "idempotency_ttl" idempotency_ttl: Duration,
        "status_ttl" status_ttl: Duration,
    }
    /// Section `delivery`.
    Delivery "delivery" {
        "timeout" timeout: Duration,
        "allowed_hosts" allowed_hosts: Vec<String>,
        "allow_cidrs" allow_cidrs: Vec<IpNet>,
        "user_agent" user_agent: String,
        "response_max_bytes" response_max_bytes: usize,
    }
    /// Section `retry`.
    Retry "retry" {
        "base_delay" base_delay: Duration,
        "max_delay" max_delay: Duration,
        "jitter" jitter: f64,
        "max_attempts" max_attempts: u32,
    }
    /// Section `worker`.
    Worker "worker" {
        "in_flight" in_flight: usize,
        "in_flight_per_config" in_flight_per_config: usize,
        "defer_after" defer_after: Duration,
        "defer_delay" defer_delay: Duration,
    }
    /// Section `scheduler`.
    Scheduler "scheduler" {
        "interval" interval: Duration,
        "batch" batch: usize,
    }
    /// Section `dlq`.
    DeadLetters "dlq" {
        "listed" listed: usize,
        "retention" retention: Duration,
    }
    /// Section `lua`.
    Lua "lua" {
        "enabled" enabled: bool,
        "timeout" timeout: Duration,
        "wall_timeout" wall_timeout: Duration,
        "fuel_limit" fuel_limit: u64,
        "memory_limit_mb" memory_limit_mb: usize,
        "memory_total_mb" memory_total_mb: usize,
        "threads" threads: usize,
        "max_concurrent" max_concurrent: usize,
        "max_concurrent_per_config" max_concurrent_per_config: usize,
        "cpu_percent_per_config" cpu_percent_per_config: u32,
        "cpu_burst" cpu_burst: Duration,
        "script_max_bytes" script_max_bytes: usize,
        "sync_timeout" sync_timeout: Duration,
        "versions" versions: Versions,
        "versions_kept" versions_kept: usize,
        "prepare_at_start" prepare_at_start: usize,
        "image_cache_bytes" image_cache_bytes: usize,
        "output_max_bytes" output_max_bytes: usize,
        "output_max_headers" output_max_headers: usize,
        "output_header_max_bytes" output_header_max_bytes: usize,
        "log_max_lines" log_max_lines: usize,
        "log_line_max_bytes" log_line_max_bytes: usize,
        "allowed_hosts" allowed_hosts: Vec<String>,
        "http_allow_cidrs" http_allow_cidrs: Vec<IpNet>,
        "http_timeout" http_timeout: Duration,
        "http_max_body_bytes" http_max_body_bytes: usize,
        "http_max_calls" http_max_calls: u32,
        "http_cache_enabled" http_cache_enabled: bool,
        "http_cache_ttl" http_cache_ttl: Duration,
        "http_cache_max_bytes" http_cache_max_bytes: u64,
        "kv_ttl_default" kv_ttl_default: Duration,
        "kv_max_calls" kv_max_calls: u32,
        "kv_timeout" kv_timeout: Duration,
        "crypto_max_calls" crypto_max_calls: u32,
        "crypto_max_bytes" crypto_max_bytes: usize,
        "crypto_concurrency" crypto_concurrency: usize,
        "crypto_keys" crypto_keys: BTreeMap<String, CryptoKey>,
    }
    /// Section `kv`.
    Kv "kv" {
        "quota_bytes" quota_bytes: u64,
    }
    /// Section `log`.
    Logging "log" {
        "level" level: String,
        "format" format: LogFormat,
    }
    /// Section `trace`.
    Tracing "trace" {
        "otlp_endpoint" otlp_endpoint: String,
        "sample" sample: f64,
    }
    /// Section `shutdown`.
    Shutdown "shutdown" {
        "grace" grace: Duration,
    }
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Section `api`.
    pub api: Api,
    /// Section `data`.
    pub data: Data,
    /// Section `kafka`.
    pub kafka: Kafka,
    /// Section `redis`.
    pub redis: Redis,
    /// Section `delivery`.
    pub delivery: Delivery,
    /// Section `retry`.
    pub retry: Retry,
    /// Section `worker`.
    pub worker: Worker,
    /// Section `scheduler`.
    pub scheduler: Scheduler,
    /// Section `dlq`.
    pub dlq: DeadLetters,
    /// Section `lua`.
    pub lua: Lua,
    /// Section `kv`.
    pub kv: Kv,
    /// Section `log`.
    pub log: Logging,
    /// Section `trace`.
    pub trace: Tracing,
    /// Section `shutdown`.
    pub shutdown: Shutdown,
}

impl Settings {
    pub(super) fn of(get: Get<'_>) -> Self {
        Settings {
            api: Api::of(get),
            data: Data::of(get),
            kafka: Kafka::of(get),
            redis: Redis::of(get),
            delivery: Delivery::of(get),
            retry: Retry::of(get),
            worker: Worker::of(get),
            scheduler: Scheduler::of(get),
            dlq: DeadLetters::of(get),
            lua: Lua::of(get),
            kv: Kv::of(get),
            log: Logging::of(get),
            trace: Tracing::of(get),
            shutdown: Shutdown::of(get),
        }
    }

    /// Keys whose values do not fit their neighbours', each with a sentence.
    pub(super) fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, path: &'static str, problem: &str| {
            if !holds {
                faults.push((path, problem.to_owned()));
            }
        };
        let (api, lua, retry) = (&self.api, &self.lua, &self.retry);
        check(
            api.listen.ip().is_loopback() || !api.tokens.is_empty(),
            "api.listen",
            "this address is reached by others, and api.tokens is empty: give tokens, or listen on 127.0.0.1",
        );
        check(
            api.max_payload_bytes <= api.max_body_bytes,
            "api.max_payload_bytes",
            "must not exceed api.max_body_bytes, of which a payload is a part",
        );
        check(
            lua.script_max_bytes <= api.max_body_bytes,
            "lua.script_max_bytes",
            "must not exceed api.max_body_bytes, of which a script is a part",
        );
        check(
            retry.base_delay <= retry.max_delay,
            "retry.max_delay",
            "must not be less than retry.base_delay",
        );
        check(lua.timeout <= lua.wall_timeout, "lua.wall_timeout", "must not be less than lua.timeout");
        check(
            lua.memory_limit_mb * 4 <= lua.memory_total_mb,
            "lua.memory_total_mb",
            "must be four times lua.memory_limit_mb at least, for a config may use a quarter of it",
        );
        check(
            lua.max_concurrent_per_config <= lua.max_concurrent,
            "lua.max_concurrent_per_config",
            "must not exceed lua.max_concurrent",
        );
        check(
            self.worker.in_flight_per_config <= self.worker.in_flight,
            "worker.in_flight_per_config",
            "must not exceed worker.in_flight",
        );
        check(self.kafka.brokers.is_empty(), "kafka.brokers", "this version has no Kafka: leave it empty");
        check(self.redis.url.is_empty(), "redis.url", "this version has no Redis: leave it empty");
        let is_header =
            howk_contract::Headers::new().set(b"User-Agent", self.delivery.user_agent.as_bytes()).is_ok();
        check(
            is_header && !self.delivery.user_agent.is_empty(),
            "delivery.user_agent",
            "must be a text that HTTP allows in headers",
        );
        let collector = &self.trace.otlp_endpoint;
        let is_url = url::Url::parse(collector).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        check(
            collector.is_empty() || is_url,
            "trace.otlp_endpoint",
            "must be a URL of http or https, such as http://127.0.0.1:4318",
        );
        let level = tracing_subscriber::EnvFilter::builder().parse(&self.log.level);
        check(
            level.is_ok(),
            "log.level",
            "expected error, warn, info, debug, trace, off, or TARGET=LEVEL by commas",
        );
        faults
    }
}

/// Reads a setting's type from a value. A value that is missing or of another shape gives a harmless one: it
/// was refused before, and the settings are never used then.
trait Read: Sized {
    fn read(value: Option<&Value>) -> Self;
}

macro_rules! read {
    ($($type:ty: $pattern:pat => $result:expr, else $fallback:expr;)*) => {
        $(impl Read for $type {
            fn read(value: Option<&Value>) -> Self {
                match value { Some($pattern) => $result, _ => $fallback }
            }
        })*
    };
}

read! {
    bool: Value::Flag(value) => *value, else false;
    u32: Value::Integer(value) => u32::try_from(*value).unwrap_or(u32::MAX), else 0;
    u64: Value::Integer(value) => *value, else 0;
    usize: Value::Integer(value) => usize::try_from(*value).unwrap_or(usize::MAX), else 0;
    f64: Value::Share(value) => *value, else 0.0;
    Duration: Value::Time(value) => *value, else Duration::ZERO;
    String: Value::Text(value) => value.clone(), else String::new();
    PathBuf: Value::Path(value) => value.clone(), else PathBuf::new();
    SocketAddr: Value::Address(value) => *value, else (Ipv4Addr::LOCALHOST, 0).into();
    Vec<String>: Value::Texts(value) => value.clone(), else Vec::new();
    Vec<IpNet>: Value::Networks(value) => value.clone(), else Vec::new();
    Vec<Token>: Value::Tokens(value) => value.clone(), else Vec::new();
    BTreeMap<String, CryptoKey>: Value::CryptoKeys(value) => value.clone(), else BTreeMap::new();
    Versions: Value::Text(word) => if word == "pinned" { Versions::Pinned } else { Versions::Newest },
        else Versions::Newest;
    LogFormat: Value::Text(word) => if word == "json" { LogFormat::Json } else { LogFormat::Text },
        else LogFormat::Text;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KEYS;

    #[test]
    fn every_key_is_a_setting() {
        let mut read = paths();
        let mut known: Vec<_> = KEYS.iter().map(|key| key.path).collect();
        read.sort_unstable();
        known.sort_unstable();
        assert_eq!(read, known);
    }
}
