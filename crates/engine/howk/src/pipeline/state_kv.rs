//! The state as the store of `kv`.

use bytes::Bytes;
use howk_contract::ConfigId;
use howk_modules::{KvError, KvFuture, KvStore};
use howk_ports::{KvSet, PortError, State};
use std::sync::Arc;
use std::time::Duration;

/// Keeps the keys and values of scripts in the state.
#[derive(Debug, Clone)]
pub struct StateKv(Arc<dyn State>);

impl StateKv {
    /// A store over a state.
    pub fn new(state: Arc<dyn State>) -> Self {
        StateKv(state)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn failed(error: PortError) -> KvError {
    KvError::Failed(error.to_string())
}

impl KvStore for StateKv {
    fn get<'a>(&'a self, config: &'a ConfigId, key: Bytes) -> KvFuture<'a, Option<Bytes>> {
        Box::pin(async move { self.0.kv_get(config, &key).await.map_err(failed) })
    }

    fn set<'a>(
        &'a self,
        config: &'a ConfigId,
        key: Bytes,
        value: Bytes,
        ttl: Duration,
        quota_bytes: u64,
    ) -> KvFuture<'a, ()> {
        Box::pin(async move {
            match self.0.kv_set(config, &key, value, ttl, quota_bytes).await.map_err(failed)? {
                KvSet::Stored => Ok(()),
                KvSet::OverQuota { needed } => Err(KvError::Quota { needed, quota: quota_bytes }),
            }
        })
    }

    fn del<'a>(&'a self, config: &'a ConfigId, key: Bytes) -> KvFuture<'a, ()> {
        Box::pin(async move { self.0.kv_delete(config, &key).await.map(|_| ()).map_err(failed) })
    }
}
