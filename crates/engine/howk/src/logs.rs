//! The log of the process: lines for people or JSON, on standard error.

use crate::config::{LogFormat, Logging};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging. A second call, as tests make it, changes nothing.
pub fn start(settings: &Logging) {
    let filter = EnvFilter::builder().parse_lossy(&settings.level);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    drop(started);
}
