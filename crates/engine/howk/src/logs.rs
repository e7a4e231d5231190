//! The log of the process: lines for people or JSON, on standard error. Spans go to a collector beside it.

use crate::config::{LogFormat, Settings};
use crate::traces::{self, Exporter};
use std::io::IsTerminal;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Starts logging. A second call, as tests make it, changes nothing. Where spans are to be sent, that is the
/// work of the exporter.
pub fn start(settings: &Settings) -> Option<Exporter> {
    let filter = EnvFilter::builder().parse_lossy(&settings.log.level);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match settings.log.format {
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_filter(filter).boxed(),
    };
    let (spans, exporter) = traces::start(&settings.trace).unzip();
    // Whatever the log leaves out, spans are made.
    let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), LevelFilter::INFO);
    let spans = spans.map(|spans| spans.with_filter(ours));
    drop(tracing_subscriber::registry().with(lines).with(spans).try_init());
    exporter
}
