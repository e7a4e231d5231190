//! The table of all keys: the only place where a key, its shape, its default and its line of documentation
//! are written.

use super::shape::Shape::{
    self, Address, Choice, CryptoKeys, Flag, Hosts, Integer, Networks, Path, Share, Size, Text, Texts, Time,
    Tokens,
};

/// A key of the settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// Section and name, such as `lua.timeout`.
    pub path: &'static str,
    /// Shape of its value.
    pub shape: Shape,
    /// The default, as it would be written in a variable.
    pub default: &'static str,
    /// A line of documentation.
    pub doc: &'static str,
}

impl Key {
    /// Name of the key's variable, such as `HOWK_LUA_TIMEOUT`.
    pub fn variable(&self) -> String {
        format!("HOWK_{}", self.path.replace('.', "_").to_uppercase())
    }
}

const fn key(path: &'static str, shape: Shape, default: &'static str, doc: &'static str) -> Key {
    Key { path, shape, default, doc }
}

/// No bound.
const ANY: u64 = u64::MAX;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// All keys, by section.
pub const KEYS: &[Key] = &[
    key(
        "api.listen",
        Address,
        "127.0.0.1:8080",
        "where the server listens; other addresses than this machine's need tokens",
    ),
    key("api.tokens", Tokens, "[]", "who may do what; each `{ token, scopes, configs }`"),
    key("api.max_body_bytes", Size(KIB, GIB), "8MiB", "most bytes of a request's body"),
    key("api.max_payload_bytes", Size(1, GIB), "5MiB", "most bytes of a webhook's payload"),
    key("api.max_json_depth", Integer(8, 10_000), "200", "how deep arrays and objects of a body may nest"),
    key("api.max_requests", Integer(1, 100_000), "512", "requests that are worked on at once; more get 429"),
    key(
        "api.max_connections",
        Integer(1, 1_000_000),
        "4096",
        "connections at once; more wait to be accepted",
    ),
    key("api.request_timeout", Time(100, HOUR), "30s", "how long a request may take, with its body"),
    key(
        "api.header_timeout",
        Time(100, HOUR),
        "10s",
        "how long a client may take to send the headers of a request",
    ),
    key("api.retry_after", Time(SECOND, HOUR), "1s", "what `Retry-After` says with 429 and 503"),
    key("data.dir", Path, "howk-data", "folder of the embedded log and state"),
    key(
        "data.max_bytes",
        Size(0, ANY),
        "0",
        "most bytes of that folder's file, but for its write-ahead log; 0: as much as the disk has",
    ),
    key("kafka.brokers", Texts, "", "brokers of a cluster; none: the embedded log"),
    key("redis.url", Text(true), "", "server of the state; none: the embedded one"),
    key(
        "redis.idempotency_ttl",
        Time(SECOND, 365 * DAY),
        "24h",
        "how long an `idempotency_key` is known, in Redis or embedded",
    ),
    key(
        "redis.status_ttl",
        Time(SECOND, 365 * DAY),
        "168h",
        "how long the status of a webhook is known after its last change",
    ),
    key("delivery.timeout", Time(10, HOUR), "30s", "how long an endpoint may take to answer"),
    key("delivery.allowed_hosts", Hosts, "*", "hosts that webhooks may go to"),
    key("delivery.allow_cidrs", Networks, "", "ranges that are not public and may be delivered to"),
    key("delivery.user_agent", Text(false), "howk", "the header `User-Agent` of deliveries"),
    key(
        "delivery.response_max_bytes",
        Size(KIB, 64 * MIB),
        "64KiB",
        "most bytes that are read of an endpoint's answer",
    ),
    key("retry.base_delay", Time(1, DAY), "10s", "wait before the second attempt; it doubles from there"),
    key("retry.max_delay", Time(1, 365 * DAY), "24h", "longest wait between attempts"),
    key("retry.jitter", Share, "0.2", "share of a wait that is random"),
    key("retry.max_attempts", Integer(1, 1000), "20", "attempts after which a webhook is given up"),
    key(
        "worker.in_flight",
        Integer(1, 1_000_000),
        "1000",
        "webhooks that are open at once, of each partition",
    ),
    key(
        "worker.in_flight_per_config",
        Integer(0, 1_000_000),
        "0",
        "webhooks of one config that are open at once when others want to be; 0: a quarter of `worker.in_flight`",
    ),
    key(
        "worker.defer_delay",
        Time(10, HOUR),
        "1s",
        "for how long a webhook is put off whose config has too much at work",
    ),
    key(
        "worker.defer_after",
        Time(0, MINUTE),
        "1s",
        "how long a webhook waits for its config's turn before it is put off",
    ),
    key("scheduler.interval", Time(1, MINUTE), "100ms", "how often it is looked for retries that are due"),
    key("scheduler.batch", Integer(1, 100_000), "100", "most retries that are put back at once"),
    key("dlq.listed", Integer(1, 100_000_000), "100000", "most dead letters that can be listed: the newest"),
    key("dlq.retention", Time(HOUR, 3650 * DAY), "720h", "how long dead letters are kept"),
    key("lua.enabled", Flag, "false", "whether scripts run; off, webhooks with a script become dead letters"),
    key("lua.timeout", Time(1, MINUTE), "500ms", "how long a script may run, waiting not counted"),
    key("lua.wall_timeout", Time(1, 10 * MINUTE), "15s", "how long a script may take, waiting included"),
    key("lua.fuel_limit", Integer(0, ANY), "0", "ticks that a script may use; 0: no limit"),
    key("lua.memory_limit_mb", Integer(4, 4095), "50", "MiB of memory of a script's VM"),
    key(
        "lua.memory_total_mb",
        Integer(16, 1 << 20),
        "1024",
        "MiB of memory of all VMs together; a config may use a quarter",
    ),
    key("lua.threads", Integer(0, 1024), "0", "threads that run scripts; 0: one for each processor"),
    key("lua.max_concurrent", Integer(1, 4096), "256", "VMs at once"),
    key("lua.max_concurrent_per_config", Integer(1, 10_000), "32", "VMs at once of one config"),
    key(
        "lua.cpu_percent_per_config",
        Integer(1, 102_400),
        "50",
        "processor time of one config while others have work, in percent of one processor",
    ),
    key(
        "lua.cpu_burst",
        Time(0, HOUR),
        "1s",
        "processor time of one config at once, before that share holds",
    ),
    key("lua.script_max_bytes", Size(1, 16 * MIB), "256KiB", "most bytes of a script's source"),
    key(
        "lua.sync_timeout",
        Time(0, MINUTE),
        "5s",
        "how long a worker waits for a script that it does not know yet",
    ),
    key(
        "lua.versions",
        Choice(&["newest", "pinned"]),
        "newest",
        "which version runs: the newest, or the one that a webhook was accepted with",
    ),
    key("lua.versions_kept", Integer(1, 1000), "10", "versions of each script that are kept for `pinned`"),
    key(
        "lua.prepare_at_start",
        Integer(0, 1_000_000),
        "1000",
        "scripts that are compiled at the start, not when they run",
    ),
    key("lua.image_cache_bytes", Size(0, 64 * GIB), "64MiB", "memory for images of scripts"),
    key("lua.output_max_bytes", Size(1, 256 * MIB), "5MiB", "most bytes of the body that a script makes"),
    key("lua.output_max_headers", Integer(1, 1000), "64", "most headers of the request that a script makes"),
    key("lua.output_header_max_bytes", Size(1, MIB), "8KiB", "most bytes of one header, name and value"),
    key("lua.log_max_lines", Integer(0, 10_000), "50", "lines that an event may log; the rest is counted"),
    key("lua.log_line_max_bytes", Size(1, MIB), "4KiB", "most bytes of such a line"),
    key("lua.allowed_hosts", Hosts, "*", "hosts that `http.get` may ask"),
    key("lua.http_allow_cidrs", Networks, "", "ranges that are not public and may be asked"),
    key("lua.http_timeout", Time(1, 10 * MINUTE), "5s", "how long a server may take to answer `http.get`"),
    key("lua.http_max_body_bytes", Size(1, 64 * MIB), "1MiB", "most bytes of such an answer"),
    key("lua.http_max_calls", Integer(0, 10_000), "10", "calls of `http` in an event"),
    key("lua.http_cache_enabled", Flag, "true", "whether answers are kept"),
    key("lua.http_cache_ttl", Time(1, 30 * DAY), "5m", "how long they are kept"),
    key("lua.http_cache_max_bytes", Size(0, 64 * GIB), "64MiB", "memory for them"),
    key(
        "lua.kv_ttl_default",
        Time(SECOND, 30 * DAY),
        "24h",
        "how long `kv` keeps a value where the script does not say",
    ),
    key("lua.kv_max_calls", Integer(0, 100_000), "100", "calls of `kv` in an event"),
    key("lua.kv_timeout", Time(1, MINUTE), "5s", "how long the store may take to answer `kv`"),
    key("lua.crypto_max_calls", Integer(0, 10_000), "10", "calls of `crypto` in an event"),
    key("lua.crypto_max_bytes", Size(1, 64 * MIB), "1MiB", "most bytes of an argument of `crypto`"),
    key("lua.crypto_concurrency", Integer(0, 1024), "0", "decryptions at once; 0: one for each processor"),
    key(
        "lua.crypto_keys",
        CryptoKeys,
        "{}",
        "private keys of `crypto`: name to PEM file, or `{ path, configs }`; also `HOWK_LUA_CRYPTO_<NAME>` with the PEM",
    ),
    key("kv.quota_bytes", Size(KIB, 1 << 50), "16MiB", "most bytes of keys and values of a config"),
    key(
        "log.level",
        Text(false),
        "info",
        "what is logged: error, warn, info, debug, or directives such as `info,howk::api=debug`",
    ),
    key("log.format", Choice(&["text", "json"]), "text", "form of the log"),
    key(
        "trace.otlp_endpoint",
        Text(false),
        "",
        "collector that spans are sent to, as OTLP in JSON, such as `http://127.0.0.1:4318`; none: nowhere",
    ),
    key("trace.sample", Share, "1", "share of the webhooks whose spans are sent"),
    key("shutdown.grace", Time(0, HOUR), "30s", "how long events may take to finish after SIGTERM"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_key_is_there_once_and_its_default_is_of_its_shape() {
        let mut variables = HashSet::new();
        for key in KEYS {
            assert!(variables.insert(key.variable()), "{}", key.path);
            assert_eq!(key.path.split('.').count(), 2, "{}", key.path);
            key.shape.read_text(key.default).unwrap_or_else(|problem| panic!("{}: {problem}", key.path));
            assert!(!key.doc.is_empty() && !key.doc.contains('|'), "{}", key.path);
        }
    }

    #[test]
    fn sections_stand_together() {
        let sections: Vec<_> = KEYS.iter().filter_map(|key| key.path.split('.').next()).collect();
        let mut seen = sections.clone();
        seen.dedup();
        assert_eq!(seen.len(), sections.iter().collect::<HashSet<_>>().len(), "{seen:?}");
    }
}
