//! The table of all metrics: their names, as a scrape shows them, and a line for each.

use std::fmt::Write;

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Name without the prefix `howk_`; counters end in `_total`.
    pub name: &'static str,
    /// Labels.
    pub labels: &'static str,
    /// A line of documentation.
    pub doc: &'static str,
}

const fn metric(name: &'static str, labels: &'static str, doc: &'static str) -> Metric {
    Metric { name, labels, doc }
}

/// All metrics.
pub const METRICS: &[Metric] = &[
    metric("script_executions_total", "result", "events: success, error"),
    metric("script_errors_total", "type", "failed events by the type of their error"),
    metric("script_duration_seconds", "", "how long events took, waiting for modules included"),
    metric("script_cpu_seconds", "", "how long events ran"),
    metric("script_fuel", "", "ticks that events used"),
    metric("script_memory_bytes", "", "memory of the VM at the end of an event"),
    metric(
        "script_cache_total",
        "tier, result",
        "look-ups of scripts in memory, mirror and log, and of images: hit, miss",
    ),
    metric("script_reloads_total", "result", "scripts that came by the log, and what became of them"),
    metric("script_reload_lag_seconds", "", "time from storing a script to its taking effect here"),
    metric(
        "script_fence_total",
        "fence",
        "events that the outer fence had to end: deadline, memory, trap, panic; each is a fault of the engine",
    ),
    metric("script_deferred_total", "", "events that waited for memory which others had"),
    metric("vm_slots_in_use", "", "VMs at work"),
    metric("vm_waiting", "", "events that wait for a VM"),
    metric("vm_memory_bytes", "", "memory of all VMs"),
    metric("image_cache_bytes", "", "memory of the images of scripts"),
    metric("module_calls_total", "module, op, result", "calls of modules: ok, error, retryable"),
    metric("http_cache_total", "result", "look-ups of answers to http.get: hit, miss, joined, bypass"),
    metric("webhooks_received_total", "", "webhooks that were accepted"),
    metric("deliveries_total", "result", "requests to endpoints: success, retry, unrecoverable"),
    metric("delivery_seconds", "", "how long endpoints took to answer"),
    metric("retries_total", "", "attempts that failed and are made again"),
    metric("deferred_total", "because", "webhooks that were put off without using an attempt"),
    metric("retries_pending", "", "webhooks that wait for another attempt"),
    metric("deadletters_total", "reason", "webhooks that were given up"),
    metric("unreadable_records_total", "", "records of howk.pending that are no webhooks"),
    metric("worker_panics_total", "", "webhooks whose task panicked; each is a fault of the engine"),
    metric("consumer_lag", "", "webhooks that wait for a worker"),
];

/// The table in Markdown, as the page on operating has it.
pub fn table() -> String {
    let mut text = "| metric | labels | |\n|---|---|---|\n".to_owned();
    for Metric { name, labels, doc } in METRICS {
        let _ = writeln!(text, "| `howk_{name}` | {labels} | {doc} |");
    }
    text
}
