//! A store of keys and values in memory, for tests, for the test endpoint and for development.

use crate::kv::{KvError, KvFuture, KvStore};
use bytes::Bytes;
use howk_contract::ConfigId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A store of keys and values that ends with its process.
#[derive(Debug, Default)]
pub struct MemoryKv {
    configs: Mutex<HashMap<ConfigId, Namespace>>,
}

/// Keys and values of one config.
#[derive(Debug, Default)]
struct Namespace {
    entries: HashMap<Bytes, Entry>,
    /// Bytes of all keys and values, those whose time has passed included until they are removed.
    bytes: u64,
}

#[derive(Debug)]
struct Entry {
    value: Bytes,
    /// None for a time that no clock reaches.
    until: Option<Instant>,
}

impl Entry {
    fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

fn size(key: &Bytes, value: &Bytes) -> u64 {
    (key.len() + value.len()) as u64
}

impl Namespace {
    fn remove(&mut self, key: &Bytes) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= size(key, &entry.value);
        }
    }

    fn remove_what_is_over(&mut self, now: Instant) {
        self.entries.retain(|_, entry| !entry.is_over(now));
        self.bytes = self.entries.iter().map(|(key, entry)| size(key, &entry.value)).sum();
    }

    fn get(&mut self, key: &Bytes) -> Option<Bytes> {
        let entry = self.entries.get(key)?;
        if entry.is_over(Instant::now()) {
            self.remove(key);
            return None;
        }
        Some(entry.value.clone())
    }

    fn set(&mut self, key: Bytes, value: Bytes, ttl: Duration, quota: u64) -> Result<(), KvError> {
        let now = Instant::now();
        let needed = |space: &Namespace| {
            let before = space.entries.get(&key).map_or(0, |entry| size(&key, &entry.value));
            space.bytes - before + size(&key, &value)
        };
        if needed(self) > quota {
            self.remove_what_is_over(now);
        }
        let needed = needed(self);
        if needed > quota {
            return Err(KvError::Quota { needed, quota });
        }
        self.bytes = needed;
        self.entries.insert(key, Entry { value, until: now.checked_add(ttl) });
        Ok(())
    }
}

impl MemoryKv {
    /// An empty store.
    pub fn new() -> Self {
        MemoryKv::default()
    }

    /// A store that has these keys and values of one config, for ever.
    pub fn of(config: ConfigId, entries: HashMap<Bytes, Bytes>) -> Self {
        let mut space = Namespace::default();
        for (key, value) in entries {
            space.bytes += size(&key, &value);
            space.entries.insert(key, Entry { value, until: None });
        }
        MemoryKv { configs: Mutex::new(HashMap::from([(config, space)])) }
    }

    /// The configs. Nobody panics while they are locked; if somebody did, each entry is still whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<ConfigId, Namespace>> {
        self.configs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KvStore for MemoryKv {
    fn get<'a>(&'a self, config: &'a ConfigId, key: Bytes) -> KvFuture<'a, Option<Bytes>> {
        let found = self.lock().get_mut(config).and_then(|space| space.get(&key));
        Box::pin(std::future::ready(Ok(found)))
    }

    fn set<'a>(
        &'a self,
        config: &'a ConfigId,
        key: Bytes,
        value: Bytes,
        ttl: Duration,
        quota_bytes: u64,
    ) -> KvFuture<'a, ()> {
        let done = self.lock().entry(config.clone()).or_default().set(key, value, ttl, quota_bytes);
        Box::pin(std::future::ready(done))
    }

    fn del<'a>(&'a self, config: &'a ConfigId, key: Bytes) -> KvFuture<'a, ()> {
        if let Some(space) = self.lock().get_mut(config) {
            space.remove(&key);
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
