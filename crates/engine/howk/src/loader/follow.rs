//! Reading the log of scripts: from its beginning, and on as it grows.

use super::scripts::Scripts;
use super::table::{Known, StoredScript};
use crate::pipeline::Observed;
use howk_contract::{ConfigId, ScriptConfig};
use howk_ports::{PortError, Record, TailEvent, TailScope, Topic};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Wait before a log that failed is read again.
const AGAIN: Duration = Duration::from_secs(1);

/// Renewals of a copy in the state within the time for which it lives.
const RENEWALS: u32 = 4;

/// Follows the log until the future is dropped. It reads all of it again when the log fails.
pub async fn follow(scripts: Scripts) {
    let (sources, waiting) = mpsc::unbounded_channel();
    let reading = async {
        loop {
            let Err(error) = read(&scripts, &sources).await;
            tracing::warn!(%error, "the log of scripts cannot be read; it will be read again");
            scripts.inner.clock.sleep(AGAIN).await;
        }
    };
    tokio::join!(reading, prepare(&scripts, waiting), renew(&scripts));
}

/// Makes images, one after another, beside everything else.
async fn prepare(scripts: &Scripts, mut waiting: mpsc::UnboundedReceiver<Arc<str>>) {
    while let Some(source) = waiting.recv().await {
        scripts.inner.runner.prepare(source).await;
    }
}

/// Renews the copies of scripts in the state.
async fn renew(scripts: &Scripts) {
    let Some(ttl) = scripts.inner.settings.mirror_ttl else { return };
    loop {
        scripts.inner.clock.sleep(ttl / RENEWALS).await;
        let all = scripts.inner.table().all();
        for script in all {
            scripts.inner.mirror.put(&script.to_config(), false).await;
        }
    }
}

/// Reads the log until it fails.
async fn read(
    scripts: &Scripts,
    sources: &mpsc::UnboundedSender<Arc<str>>,
) -> Result<std::convert::Infallible, PortError> {
    let inner = &*scripts.inner;
    let mut tail = inner.log.tail(Topic::Scripts, TailScope::All).await?;
    // The configs that this reading has named, until it has reached the end.
    let mut seen = Some(HashSet::new());
    loop {
        match tail.next().await? {
            TailEvent::Record(record) => {
                let is_old = seen.is_some();
                let config = apply(scripts, &record, is_old, sources).await;
                if let (Some(seen), Some(config)) = (&mut seen, config) {
                    seen.insert(config);
                }
                inner.reached(record.position.offset + 1);
            }
            TailEvent::CaughtUp { next, .. } => {
                let whole = seen.take();
                inner.caught_up(next, whole.as_ref());
                if whole.is_some() {
                    tracing::info!(scripts = scripts.len(), "the log of scripts is read");
                    prepare_newest(scripts, sources);
                }
            }
            TailEvent::Lost { .. } => {}
        }
    }
}

/// Asks for the images of the scripts that were stored last.
fn prepare_newest(scripts: &Scripts, sources: &mpsc::UnboundedSender<Arc<str>>) {
    let mut all = scripts.inner.table().all();
    all.sort_by_key(|script| std::cmp::Reverse(script.updated_at));
    for script in all.into_iter().take(scripts.inner.settings.prepare_at_start) {
        // The receiver lives as long as the reading.
        let _ = sources.send(Arc::clone(&script.source));
    }
}

/// Takes over a record; the answer is the config that it is of.
async fn apply(
    scripts: &Scripts,
    record: &Record,
    is_old: bool,
    sources: &mpsc::UnboundedSender<Arc<str>>,
) -> Option<ConfigId> {
    let inner = &*scripts.inner;
    let observe = |result, lag| inner.observer.observe(Observed::Reload { result, lag });
    let refuse = |result, why: &str| {
        tracing::error!(
            key = &*record.key,
            offset = record.position.offset,
            why,
            "a script of the log is refused"
        );
        observe(result, None);
    };
    let Ok(config) = record.key.parse::<ConfigId>() else {
        refuse("unreadable", "its key is no config id");
        return None;
    };
    let offset = record.position.offset;
    if !inner.table().is_news(&config, offset) {
        observe("stale", None);
        return Some(config);
    }
    let Some(value) = &record.value else {
        inner.table_mut().delete(config.clone(), offset);
        observe("deleted", None);
        return Some(config);
    };
    let script = match serde_json::from_slice::<ScriptConfig>(value) {
        Ok(script) if script.config_id == config => script,
        Ok(_) => {
            refuse("unreadable", "it is of another config than its key");
            return Some(config);
        }
        Err(error) => {
            refuse("unreadable", &error.to_string());
            return Some(config);
        }
    };
    if !script.fits_its_hash() {
        refuse("wrong_hash", "its source is not what its hash says");
        return Some(config);
    }
    let script = StoredScript::from(script);
    if !is_old
        && has_other(scripts, &script)
        && let Err(error) = inner.runner.check(Arc::clone(&script.source)).await
        && !error.retryable
    {
        refuse("does_not_compile", &error.message);
        return Some(config);
    }
    let lag = inner.clock.now().duration_since(script.updated_at);
    let source = Arc::clone(&script.source);
    inner.table_mut().put(script, offset);
    observe("loaded", (!is_old).then(|| Duration::try_from(lag).unwrap_or_default()));
    if !is_old {
        // The receiver lives as long as the reading.
        let _ = sources.send(source);
    }
    Some(config)
}

/// True if the config has a script that runs instead where this one cannot.
fn has_other(scripts: &Scripts, script: &StoredScript) -> bool {
    matches!(scripts.inner.table().newest(&script.config_id), Known::Script(other) if other.hash != script.hash)
}
