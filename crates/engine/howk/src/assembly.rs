//! The engine put together from its settings: store, modules, sandbox, pipeline, API.

use crate::api::{App, Tester, router};
use crate::config::{Loaded, Lua, Settings};
use crate::delivery::GuardedTransport;
use crate::metrics::Metrics;
use crate::pipeline::{
    DeadLetterSettings, DeliverySettings, LoaderSettings, Parts, Pipeline, PipelineSettings, QueueSettings,
    RetrySettings, Roles, SandboxRunner, SchedulerSettings, StateKv, WorkerSettings,
};
use howk_contract::OutputLimits;
use howk_modules::{
    ClientSettings, CryptoSettings, Guard, GuardedClient, HostPattern, HttpSettings, KeySource, Keyring,
    KvSettings, LogSettings, MemoryKv, ModuleHost,
};
use howk_ports::{Clock, Embedded, EmbeddedSettings, SystemClock};
use howk_sandbox::Sandbox;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// File of the embedded log and state, in `data.dir`.
const FILE: &str = "howk.db";

/// A place for log and state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// A file in `data.dir`.
    Folder,
    /// Memory: it ends with the process.
    Memory,
}

/// A sentence that says why the engine does not start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

/// The parts of a running engine.
#[derive(Debug)]
pub struct Engine {
    /// The pipeline, not started.
    pub pipeline: Arc<Pipeline>,
    /// Keys of `crypto`.
    pub keys: Arc<Keyring>,
    /// Runs scripts on made-up events.
    pub tester: Tester,
    /// Everything that is counted.
    pub metrics: Arc<Metrics>,
}

impl Engine {
    /// Puts the parts together. Takes a second or more: the sandbox is compiled.
    ///
    /// # Errors
    /// A part cannot be had: the sentence says which, and why.
    pub fn new(loaded: &Loaded, store: Store) -> Result<Engine, StartError> {
        let settings = &loaded.settings;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let store = open(settings, store, Arc::clone(&clock))?;
        let keys = keyring(loaded);
        let kv = Arc::new(StateKv::new(Arc::new(store.clone())));
        let modules = ModuleHost::new(modules(settings)?, kv, Arc::clone(&keys)).map_err(wrong)?;
        let sandbox = Sandbox::new(sandbox(&settings.lua)).map_err(wrong)?;
        let metrics = Metrics::new(sandbox.clone(), Arc::clone(&modules));
        let guard = Guard::new(
            hosts("delivery.allowed_hosts", &settings.delivery.allowed_hosts)?,
            networks(&settings.delivery.allow_cidrs),
        );
        let client =
            ClientSettings { user_agent: settings.delivery.user_agent.clone(), ..ClientSettings::new(guard) };
        let parts = Parts {
            log: Arc::new(store.clone()),
            state: Arc::new(store),
            clock,
            runner: Arc::new(SandboxRunner::new(sandbox.clone(), Arc::clone(&modules))),
            transport: Arc::new(GuardedTransport::new(GuardedClient::new(client).map_err(wrong)?)),
            observer: metrics.clone(),
        };
        let pipeline = Arc::new(Pipeline::new(parts, pipeline(settings)));
        Ok(Engine { pipeline, keys, tester: Tester::new(sandbox, modules), metrics })
    }

    /// The routes of a server with these roles.
    pub fn router(&self, settings: &Settings, roles: Roles, stopping: CancellationToken) -> axum::Router {
        let (pipeline, metrics) = (Arc::clone(&self.pipeline), Arc::clone(&self.metrics));
        router(App::new(settings, roles, pipeline, self.tester.clone(), metrics, stopping))
    }

    /// Reads the keys of `crypto` again, and tells of those that cannot be read.
    pub fn reload_keys(&self) {
        let failed = self.keys.reload();
        for (name, error) in &failed {
            tracing::error!(key = name, %error, "a key of crypto cannot be read");
        }
        tracing::info!(keys = self.keys.names().count(), failed = failed.len(), "keys of crypto are read");
    }
}

/// A tester alone, without log and state: for the command line.
///
/// # Errors
/// A part cannot be had.
pub fn tester(loaded: &Loaded) -> Result<Tester, StartError> {
    let modules = ModuleHost::new(modules(&loaded.settings)?, Arc::new(MemoryKv::default()), keyring(loaded));
    let sandbox = Sandbox::new(sandbox(&loaded.settings.lua)).map_err(wrong)?;
    Ok(Tester::new(sandbox, modules.map_err(wrong)?))
}

fn wrong(error: impl std::fmt::Display) -> StartError {
    StartError(error.to_string())
}

fn open(settings: &Settings, store: Store, clock: Arc<dyn Clock>) -> Result<Embedded, StartError> {
    let embedded = EmbeddedSettings {
        max_bytes: Some(settings.data.max_bytes).filter(|bytes| *bytes > 0),
        dead_letters_kept: settings.dlq.retention,
        ..EmbeddedSettings::default()
    };
    if store == Store::Memory {
        return Embedded::in_memory(embedded, clock).map_err(wrong);
    }
    let dir: &Path = &settings.data.dir;
    let fail = |error: &dyn std::fmt::Display| StartError(format!("data.dir {}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(|error| fail(&error))?;
    Embedded::open(&dir.join(FILE), embedded, clock).map_err(|error| fail(&error))
}

fn keyring(loaded: &Loaded) -> Arc<Keyring> {
    let files = loaded.settings.lua.crypto_keys.iter().map(|(name, key)| {
        let source = KeySource::file(&key.path);
        let source = match &key.configs {
            Some(configs) => source.only_for(configs.iter().cloned()),
            None => source,
        };
        (name.clone(), source)
    });
    // A variable's name has capitals; scripts may write the name of its key in small letters, too.
    let configured = &loaded.settings.lua.crypto_keys;
    let pems = loaded.crypto_pems.iter().flat_map(|(name, pem)| {
        let names = [name.clone(), name.to_lowercase()];
        let is_free =
            |name: &String| !configured.contains_key(name) && !loaded.crypto_pems.contains_key(name);
        let taken = names.into_iter().enumerate().filter(move |(at, name)| *at == 0 || is_free(name));
        taken.map(|(_, name)| (name, KeySource::pem(pem.as_str())))
    });
    Arc::new(Keyring::new(files.chain(pems)))
}

fn hosts(key: &str, texts: &[String]) -> Result<Vec<HostPattern>, StartError> {
    let pattern = |text: &String| text.parse().map_err(|error| StartError(format!("{key}: {error}")));
    texts.iter().map(pattern).collect()
}

fn networks(networks: &[ipnet::IpNet]) -> Vec<howk_modules::IpNet> {
    networks.to_vec()
}

fn modules(settings: &Settings) -> Result<howk_modules::Settings, StartError> {
    let lua = &settings.lua;
    Ok(howk_modules::Settings {
        http: HttpSettings {
            allowed_hosts: hosts("lua.allowed_hosts", &lua.allowed_hosts)?,
            allow_cidrs: networks(&lua.http_allow_cidrs),
            timeout: lua.http_timeout,
            body_bytes_max: lua.http_max_body_bytes,
            calls: lua.http_max_calls,
            cache_enabled: lua.http_cache_enabled,
            cache_ttl: lua.http_cache_ttl,
            cache_bytes: lua.http_cache_max_bytes,
            ..HttpSettings::default()
        },
        kv: KvSettings {
            ttl_default: lua.kv_ttl_default,
            quota_bytes: settings.kv.quota_bytes,
            calls: lua.kv_max_calls,
            timeout: lua.kv_timeout,
        },
        crypto: CryptoSettings {
            calls: lua.crypto_max_calls,
            argument_bytes_max: lua.crypto_max_bytes,
            concurrency: match lua.crypto_concurrency {
                0 => CryptoSettings::default().concurrency,
                decryptions => decryptions,
            },
        },
        log: LogSettings { lines: lua.log_max_lines, line_bytes: lua.log_line_max_bytes },
    })
}

fn sandbox(lua: &Lua) -> howk_sandbox::Settings {
    let defaults = howk_sandbox::Settings::default();
    howk_sandbox::Settings {
        timeout: lua.timeout,
        wall_timeout: lua.wall_timeout,
        fuel_limit: Some(lua.fuel_limit).filter(|ticks| *ticks > 0),
        memory_bytes: lua.memory_limit_mb << 20,
        total_memory_bytes: lua.memory_total_mb << 20,
        max_concurrent: lua.max_concurrent,
        threads: if lua.threads == 0 { defaults.threads } else { lua.threads },
        output: OutputLimits {
            body_bytes: lua.output_max_bytes,
            headers: lua.output_max_headers,
            header_bytes: lua.output_header_max_bytes,
        },
        image_cache_bytes: lua.image_cache_bytes,
        ..defaults
    }
}

fn pipeline(settings: &Settings) -> PipelineSettings {
    let Settings { delivery, retry, worker, scheduler, dlq, lua, redis, .. } = settings;
    PipelineSettings {
        scripts_enabled: lua.enabled,
        queue: QueueSettings {
            idempotency_ttl: redis.idempotency_ttl,
            status_ttl: redis.status_ttl,
            ..QueueSettings::default()
        },
        loader: LoaderSettings {
            sync_timeout: lua.sync_timeout,
            versions: lua.versions,
            versions_kept: lua.versions_kept,
            prepare_at_start: lua.prepare_at_start,
            ..LoaderSettings::default()
        },
        worker: WorkerSettings {
            in_flight: worker.in_flight,
            in_flight_per_config: Some(worker.in_flight_per_config).filter(|webhooks| *webhooks > 0),
            max_concurrent_per_config: lua.max_concurrent_per_config,
            defer_after: worker.defer_after,
            defer_delay: worker.defer_delay,
            cpu_per_config: f64::from(lua.cpu_percent_per_config) / 100.0,
            cpu_burst: lua.cpu_burst,
        },
        delivery: DeliverySettings {
            timeout: delivery.timeout,
            user_agent: delivery.user_agent.clone(),
            response_max_bytes: delivery.response_max_bytes,
        },
        retry: RetrySettings {
            base_delay: retry.base_delay,
            max_delay: retry.max_delay,
            jitter: retry.jitter,
            max_attempts: retry.max_attempts,
        },
        scheduler: SchedulerSettings { interval: scheduler.interval, batch: scheduler.batch },
        dead_letters: DeadLetterSettings { listed: dlq.listed, kept: dlq.retention },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use std::time::Duration;

    fn settings(set: &[(&str, &str)]) -> Settings {
        let flags = set.iter().map(|(key, value)| (String::new(), (*key).to_owned(), (*value).to_owned()));
        let sources =
            Sources { file: None, environment: Vec::new(), flags: flags.collect(), defaults: Vec::new() };
        load(&sources).unwrap_or_else(|error| panic!("{error}")).settings
    }

    #[test]
    fn keys_of_fairness_reach_the_worker() {
        let usual = pipeline(&settings(&[])).worker;
        assert_eq!(usual, WorkerSettings::default(), "defaults are written in one place only");
        let chosen = pipeline(&settings(&[
            ("worker.in_flight_per_config", "7"),
            ("worker.defer_after", "3s"),
            ("lua.cpu_percent_per_config", "150"),
            ("lua.cpu_burst", "2s"),
        ]));
        let expected = WorkerSettings {
            in_flight_per_config: Some(7),
            defer_after: Duration::from_secs(3),
            cpu_per_config: 1.5,
            cpu_burst: Duration::from_secs(2),
            ..WorkerSettings::default()
        };
        assert_eq!(chosen.worker, expected);
        assert_eq!(pipeline(&settings(&[("lua.prepare_at_start", "9")])).loader.prepare_at_start, 9);
    }

    #[test]
    fn keys_of_modules_reach_them() {
        let usual = modules(&settings(&[])).unwrap();
        assert_eq!((usual.kv, usual.crypto), (KvSettings::default(), CryptoSettings::default()));
        let chosen = modules(&settings(&[
            ("lua.kv_timeout", "70ms"),
            ("lua.crypto_max_calls", "3"),
            ("lua.crypto_max_bytes", "5KiB"),
            ("lua.crypto_concurrency", "2"),
        ]));
        let chosen = chosen.unwrap();
        assert_eq!(chosen.kv.timeout, Duration::from_millis(70));
        assert_eq!(chosen.crypto, CryptoSettings { calls: 3, argument_bytes_max: 5 << 10, concurrency: 2 });
    }
}
