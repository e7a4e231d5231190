//! Metrics: what the pipeline tells of itself, and what sandbox and modules have counted, for Prometheus.
//!
//! No metric has a label for the config: their number is not the operator's to choose.

mod collected;
mod table;

pub use table::{METRICS, Metric, table};

use crate::pipeline::{Observed, Observer, Parts};
use crate::worker::GROUP;
use collected::{Collected, Sources};
use howk_contract::{ErrorType, Reason};
use howk_modules::ModuleHost;
use howk_ports::Topic;
use howk_sandbox::Sandbox;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric as Registered, Registry};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

type Labels = [(&'static str, &'static str); 1];
type Counters = Family<Labels, Counter>;

/// Longest wait of a scrape for the log to tell how far workers are behind.
const LAG_TIMEOUT: Duration = Duration::from_secs(2);

/// All metrics of a process.
pub struct Metrics {
    registry: Registry,
    lag: Arc<AtomicU64>,
    executions: Counters,
    errors: Counters,
    duration: Histogram,
    cpu: Histogram,
    fuel: Histogram,
    memory: Histogram,
    look_ups: Family<[(&'static str, &'static str); 2], Counter>,
    reloads: Counters,
    reload_lag: Histogram,
    received: Counter,
    deliveries: Counters,
    delivery: Histogram,
    retries: Counter,
    deferred: Counters,
    retries_pending: Gauge,
    dead_letters: Counters,
    unreadable: Counter,
    panics: Counter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Registers metrics under the names and the lines of documentation of the table.
struct Register(Registry);

impl Register {
    fn add<M: Registered + Clone>(&mut self, name: &str, metric: M) -> M {
        let known = METRICS.iter().find(|known| known.name.trim_end_matches("_total") == name);
        self.0.register(name, known.map_or("undocumented", |known| known.doc), metric.clone());
        metric
    }

    fn counters(&mut self, name: &str, label: &'static str, values: &[&'static str]) -> Counters {
        let family = self.add(name, Counters::default());
        for value in values {
            drop(family.get_or_create(&[(label, *value)]));
        }
        family
    }

    fn seconds(&mut self, name: &str) -> Histogram {
        // 10 us to 84 s.
        self.add(name, Histogram::new(exponential_buckets(0.000_01, 2.0, 24)))
    }
}

impl Metrics {
    /// Metrics of a process that has this sandbox and these modules.
    pub fn new(sandbox: Sandbox, modules: Arc<ModuleHost>) -> Arc<Self> {
        let mut register = Register(Registry::with_prefix("howk"));
        let lag = Arc::new(AtomicU64::new(0));
        let look_ups = Family::default();
        let metrics = Metrics {
            executions: register.counters("script_executions", "result", &["success", "error"]),
            errors: register.counters("script_errors", "type", &ErrorType::ALL.map(ErrorType::as_str)),
            duration: register.seconds("script_duration_seconds"),
            cpu: register.seconds("script_cpu_seconds"),
            fuel: register.add("script_fuel", Histogram::new(exponential_buckets(100.0, 4.0, 14))),
            memory: register
                .add("script_memory_bytes", Histogram::new(exponential_buckets(65_536.0, 2.0, 14))),
            reloads: register.counters(
                "script_reloads",
                "result",
                &["loaded", "deleted", "wrong_hash", "unreadable", "does_not_compile", "stale"],
            ),
            reload_lag: register.seconds("script_reload_lag_seconds"),
            received: register.add("webhooks_received", Counter::default()),
            deliveries: register.counters("deliveries", "result", &["success", "retry", "unrecoverable"]),
            delivery: register.seconds("delivery_seconds"),
            retries: register.add("retries", Counter::default()),
            deferred: register.counters("deferred", "because", &["share", "concurrency", "cpu", "memory"]),
            retries_pending: register.add("retries_pending", Gauge::default()),
            dead_letters: register.counters("deadletters", "reason", &Reason::ALL.map(Reason::as_str)),
            unreadable: register.add("unreadable_records", Counter::default()),
            panics: register.add("worker_panics", Counter::default()),
            look_ups,
            lag: Arc::clone(&lag),
            registry: Registry::default(),
        };
        let sources = Sources { sandbox, modules, look_ups: metrics.look_ups.clone(), lag };
        register.0.register_collector(Box::new(Collected(sources)));
        Arc::new(Metrics { registry: register.0, ..metrics })
    }

    /// All metrics as text.
    ///
    /// # Errors
    /// They cannot be written.
    pub async fn scrape(&self, parts: &Parts) -> Result<String, fmt::Error> {
        // A log that does not answer leaves the last number, and `/ready` tells of it.
        if let Ok(Ok(lag)) = tokio::time::timeout(LAG_TIMEOUT, parts.log.lag(Topic::Pending, GROUP)).await {
            self.lag.store(lag, Ordering::Relaxed);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Observer for Metrics {
    fn observe(&self, observed: Observed) {
        let count = |family: &Counters, label, value| {
            family.get_or_create(&[(label, value)]).inc();
        };
        match observed {
            Observed::Received => {
                self.received.inc();
            }
            Observed::Script { error, wall, cpu, fuel, memory_bytes } => {
                count(&self.executions, "result", if error.is_none() { "success" } else { "error" });
                if let Some(error) = error {
                    count(&self.errors, "type", error.as_str());
                }
                self.duration.observe(wall.as_secs_f64());
                self.cpu.observe(cpu.as_secs_f64());
                self.fuel.observe(fuel as f64);
                self.memory.observe(memory_bytes as f64);
            }
            Observed::ScriptLookUp { tier, found } => {
                let result = if found { "hit" } else { "miss" };
                self.look_ups.get_or_create(&[("tier", tier), ("result", result)]).inc();
            }
            Observed::Reload { result, lag } => {
                count(&self.reloads, "result", result);
                if let Some(lag) = lag {
                    self.reload_lag.observe(lag.as_secs_f64());
                }
            }
            Observed::Delivery { result, time } => {
                count(&self.deliveries, "result", result);
                self.delivery.observe(time.as_secs_f64());
            }
            Observed::Retry => {
                self.retries.inc();
            }
            Observed::Deferred { because } => count(&self.deferred, "because", because),
            Observed::DeadLetter(reason) => count(&self.dead_letters, "reason", reason.as_str()),
            Observed::Unreadable => {
                self.unreadable.inc();
            }
            Observed::RetriesPending(number) => {
                self.retries_pending.set(i64::try_from(number).unwrap_or(i64::MAX));
            }
            Observed::Panic => {
                self.panics.inc();
            }
        }
    }
}
