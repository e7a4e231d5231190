//! The trait of the state: keys and values that live for a while, and the namespaces of scripts.

use crate::PortFuture;
use bytes::Bytes;
use howk_contract::ConfigId;
use std::fmt;
use std::time::Duration;

/// Beginning of the keys that scripts write.
const KV_PREFIX: &str = "lua:kv:";

/// The key of a script's value: `lua:kv:{config_id}:{key}`. A config id has no colon, so no two configs share
/// one.
pub fn kv_key(config: &ConfigId, key: &[u8]) -> Bytes {
    [KV_PREFIX.as_bytes(), config.as_str().as_bytes(), b":", key].concat().into()
}

/// The config whose script owns a key; none if it is no script's key.
pub fn kv_owner(key: &[u8]) -> Option<&str> {
    let rest = key.strip_prefix(KV_PREFIX.as_bytes())?;
    let end = rest.iter().position(|byte| *byte == b':')?;
    std::str::from_utf8(&rest[..end]).ok().filter(|id| id.parse::<ConfigId>().is_ok())
}

/// Outcome of a script's write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvSet {
    /// The value is stored.
    Stored,
    /// The value would take its config past the quota; nothing changed.
    OverQuota {
        /// Bytes of keys and values that the config would have.
        needed: u64,
    },
}

/// Keys and values, each with the time for which it lives. Any bytes are fine in both.
pub trait State: Send + Sync + fmt::Debug {
    /// The value of a key that has not expired.
    fn get(&self, key: Bytes) -> PortFuture<'_, Option<Bytes>>;

    /// Stores a value, for a time or for good.
    fn set(&self, key: Bytes, value: Bytes, ttl: Option<Duration>) -> PortFuture<'_, ()>;

    /// Deletes a key; true if it was there.
    fn delete(&self, key: Bytes) -> PortFuture<'_, bool>;

    /// Puts a value in the place of the one that is expected; none is no value, on either side. False if
    /// there was another one, and nothing changed.
    fn compare_and_set(
        &self,
        key: Bytes,
        expected: Option<Bytes>,
        value: Option<Bytes>,
        ttl: Option<Duration>,
    ) -> PortFuture<'_, bool>;

    /// Keys that begin with `prefix`, and their values, in the order of the keys: those after `after`, at
    /// most `limit`. Fewer than `limit` are the last ones.
    fn scan(&self, prefix: Bytes, after: Option<Bytes>, limit: usize) -> PortFuture<'_, Vec<(Bytes, Bytes)>>;

    /// Stores a value of a config's script, if keys and values of the config then have at most `quota` bytes.
    fn kv_set(
        &self,
        config: &ConfigId,
        key: &[u8],
        value: Bytes,
        ttl: Duration,
        quota: u64,
    ) -> PortFuture<'_, KvSet>;

    /// Bytes of the keys and values of a config's script that have not expired.
    fn kv_usage(&self, config: &ConfigId) -> PortFuture<'_, u64>;

    /// The value of a key of a config's script.
    fn kv_get(&self, config: &ConfigId, key: &[u8]) -> PortFuture<'_, Option<Bytes>> {
        self.get(kv_key(config, key))
    }

    /// Deletes a key of a config's script; true if it was there.
    fn kv_delete(&self, config: &ConfigId, key: &[u8]) -> PortFuture<'_, bool> {
        self.delete(kv_key(config, key))
    }

    /// Asks whether the state answers now.
    fn health(&self) -> PortFuture<'_, ()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_owner() {
        let id: ConfigId = "a.b".parse().unwrap();
        let key = kv_key(&id, b":x\xff:");
        assert_eq!(&key[..], b"lua:kv:a.b::x\xff:");
        assert_eq!(kv_owner(&key), Some("a.b"));
        for other in [&b"lua:kv:a"[..], b"status:a:b", b"lua:kv::x", b"lua:kv:\xff:x", b""] {
            assert_eq!(kv_owner(other), None);
        }
    }
}
