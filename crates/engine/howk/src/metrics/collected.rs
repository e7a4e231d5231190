//! Metrics that others count: they are read when they are asked for.

use super::table::METRICS;
use howk_modules::ModuleHost;
use howk_sandbox::Sandbox;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tiers in which scripts are looked for; images are a tier that the sandbox counts.
const TIERS: [&str; 3] = ["memory", "mirror", "log"];

pub(super) struct Sources {
    pub(super) sandbox: Sandbox,
    pub(super) modules: Arc<ModuleHost>,
    pub(super) look_ups: Family<[(&'static str, &'static str); 2], Counter>,
    pub(super) lag: Arc<AtomicU64>,
}

pub(super) struct Collected(pub(super) Sources);

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}

type Rows = Vec<(Vec<(&'static str, &'static str)>, u64)>;

fn help(name: &str) -> &'static str {
    METRICS
        .iter()
        .find(|known| known.name.trim_end_matches("_total") == name)
        .map_or("undocumented", |known| known.doc)
}

fn counters(encoder: &mut DescriptorEncoder<'_>, name: &str, rows: Rows) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help(name), None, MetricType::Counter)?;
    for (labels, count) in rows {
        let counter = ConstCounter::new(count);
        if labels.is_empty() {
            return counter.encode(metric);
        }
        counter.encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, value: u64) -> fmt::Result {
    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    gauge.encode(encoder.encode_descriptor(name, help(name), None, MetricType::Gauge)?)
}

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Sources { sandbox, modules, look_ups, lag } = &self.0;
        let counts = sandbox.counters();
        let mut tiers: Rows = vec![
            (vec![("tier", "image"), ("result", "hit")], counts.image_hits),
            (vec![("tier", "image"), ("result", "miss")], counts.image_misses),
        ];
        for tier in TIERS {
            for result in ["hit", "miss"] {
                let count = look_ups.get_or_create(&[("tier", tier), ("result", result)]).get();
                tiers.push((vec![("tier", tier), ("result", result)], count));
            }
        }
        counters(&mut encoder, "script_cache", tiers)?;
        let fences = [
            ("deadline", counts.fence_deadline),
            ("memory", counts.fence_memory),
            ("trap", counts.traps),
            ("panic", counts.panics),
        ];
        let fences = fences.map(|(fence, count)| (vec![("fence", fence)], count));
        counters(&mut encoder, "script_fence", fences.to_vec())?;
        counters(&mut encoder, "script_deferred", vec![(Vec::new(), counts.deferred)])?;
        gauge(&mut encoder, "vm_slots_in_use", counts.slots_in_use)?;
        gauge(&mut encoder, "vm_waiting", counts.waiting)?;
        gauge(&mut encoder, "vm_memory_bytes", counts.memory_bytes)?;
        gauge(&mut encoder, "image_cache_bytes", counts.image_bytes)?;
        let mut calls: Rows = Vec::new();
        let mut cache: BTreeMap<&'static str, u64> =
            ["hit", "miss", "joined", "bypass"].map(|word| (word, 0)).into();
        for call in modules.counts() {
            if (call.module, call.op) == ("http", "cache") {
                *cache.entry(call.result).or_default() += call.count;
            } else {
                calls.push((
                    vec![("module", call.module), ("op", call.op), ("result", call.result)],
                    call.count,
                ));
            }
        }
        counters(&mut encoder, "module_calls", calls)?;
        let cache = cache.into_iter().map(|(result, count)| (vec![("result", result)], count)).collect();
        counters(&mut encoder, "http_cache", cache)?;
        gauge(&mut encoder, "consumer_lag", lag.load(Ordering::Relaxed))
    }
}
