//! Copies of scripts in the state: `script:{config_id}` the newest, `script:{config_id}:{hash}` a version.
//!
//! Copies are a help. A state that is away, or has lost them, is told of in the log and changes nothing.

use howk_contract::{ConfigId, ScriptConfig, ScriptHash};
use howk_ports::{PortError, State};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for the state.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Most exchanges of a copy that another node changes at the same time.
const TRIES: usize = 5;

#[derive(Debug)]
pub(super) struct Mirror {
    state: Arc<dyn State>,
    ttl: Option<Duration>,
    versions_kept: usize,
}

fn key(config: &ConfigId) -> bytes::Bytes {
    format!("script:{config}").into()
}

fn version_key(config: &ConfigId, hash: ScriptHash) -> bytes::Bytes {
    format!("script:{config}:{hash}").into()
}

fn read(json: &[u8], config: &ConfigId) -> Option<ScriptConfig> {
    let script: ScriptConfig = serde_json::from_slice(json).ok()?;
    (script.config_id == *config && script.fits_its_hash()).then_some(script)
}

impl Mirror {
    pub(super) fn new(state: Arc<dyn State>, ttl: Option<Duration>, versions_kept: usize) -> Self {
        Mirror { state, ttl, versions_kept }
    }

    /// The copy of a config's script, or of the version with that hash. One that is not what its hash says is
    /// none.
    pub(super) async fn find(
        &self,
        config: &ConfigId,
        hash: ScriptHash,
        pinned: bool,
    ) -> Option<ScriptConfig> {
        self.ttl?;
        let key = if pinned { version_key(config, hash) } else { key(config) };
        let json = self.in_time(config, self.state.get(key)).await??;
        let script = read(&json, config);
        if script.is_none() {
            tracing::warn!(%config, "the copy of a script is not what its hash says, and is not used");
        }
        script
    }

    /// Copies a script, and its version if versions are kept. An older one never overwrites a newer one.
    pub(super) async fn put(&self, script: &ScriptConfig, with_version: bool) {
        let Some(ttl) = self.ttl else { return };
        let config = &script.config_id;
        let Ok(json) = serde_json::to_vec(script).map(bytes::Bytes::from) else { return };
        let put = async {
            for _ in 0..TRIES {
                let there = self.state.get(key(config)).await?;
                let is_newer = |there: &bytes::Bytes| {
                    read(there, config).is_some_and(|there| there.updated_at > script.updated_at)
                };
                if there.as_ref().is_some_and(is_newer) {
                    break;
                }
                let exchange = self.state.compare_and_set(key(config), there, Some(json.clone()), Some(ttl));
                if exchange.await? {
                    break;
                }
            }
            if with_version {
                // It stays until newer ones push it out: a webhook may wait for many days.
                self.state.set(version_key(config, script.hash), json.clone(), None).await?;
                self.prune(config, self.versions_kept.max(1)).await?;
            }
            Ok(())
        };
        self.in_time(config, put).await;
    }

    /// Removes the copies of a config.
    pub(super) async fn delete(&self, config: &ConfigId) {
        if self.ttl.is_none() {
            return;
        }
        let delete = async {
            self.state.delete(key(config)).await?;
            self.prune(config, 0).await
        };
        self.in_time(config, delete).await;
    }

    /// Removes the oldest versions of a config beyond `kept`.
    async fn prune(&self, config: &ConfigId, kept: usize) -> Result<(), PortError> {
        let prefix = format!("script:{config}:");
        let found = self.state.scan(prefix.into(), None, 10_000).await?;
        let time = |json: &[u8]| read(json, config).map(|script| script.updated_at);
        let mut versions: Vec<_> = found.iter().map(|(key, json)| (time(json), key)).collect();
        versions.sort();
        let surplus = versions.len().saturating_sub(kept);
        for (_, key) in versions.into_iter().take(surplus) {
            self.state.delete(key.clone()).await?;
        }
        Ok(())
    }

    async fn in_time<T>(
        &self,
        config: &ConfigId,
        work: impl Future<Output = Result<T, PortError>>,
    ) -> Option<T> {
        let error = match tokio::time::timeout(TIMEOUT, work).await {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".into(),
        };
        tracing::warn!(%config, error, "the state did not serve the copy of a script");
        None
    }
}
