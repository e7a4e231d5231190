//! The embedded state.

use super::thread::Scope;
use super::{Embedded, entries};
use crate::{KvSet, PortError, PortFuture, State, kv_key};
use bytes::Bytes;
use howk_contract::ConfigId;
use std::time::Duration;

/// Returns the end of a value that lives for `ttl` from now on. What lives for less than a millisecond is
/// gone at once.
fn expires(scope: &Scope<'_>, ttl: Option<Duration>) -> Option<i64> {
    ttl.map(|ttl| scope.now.saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX)))
}

impl Embedded {
    fn fits(&self, value: &Bytes) -> Result<(), PortError> {
        let (bytes, limit) = (value.len() as u64, self.shared.max_value_bytes);
        if bytes > limit {
            return Err(PortError::TooLarge { what: "a value", bytes, limit });
        }
        Ok(())
    }
}

impl State for Embedded {
    fn get(&self, key: Bytes) -> PortFuture<'_, Option<Bytes>> {
        let now = self.shared.hub.now_ms();
        Box::pin(self.shared.read(move |connection| entries::get(connection, &key, now)))
    }

    fn set(&self, key: Bytes, value: Bytes, ttl: Option<Duration>) -> PortFuture<'_, ()> {
        Box::pin(async move {
            self.fits(&value)?;
            let put =
                move |scope: &Scope<'_>| entries::put(scope, &key, Some(&value), expires(scope, ttl)).map(Ok);
            self.shared.write(put, |_, ()| {}).await
        })
    }

    fn delete(&self, key: Bytes) -> PortFuture<'_, bool> {
        Box::pin(async move {
            let delete = move |scope: &Scope<'_>| {
                let was_there = entries::get(scope.connection, &key, scope.now)?.is_some();
                entries::put(scope, &key, None, None)?;
                Ok(Ok(was_there))
            };
            self.shared.write(delete, |_, _| {}).await
        })
    }

    fn compare_and_set(
        &self,
        key: Bytes,
        expected: Option<Bytes>,
        value: Option<Bytes>,
        ttl: Option<Duration>,
    ) -> PortFuture<'_, bool> {
        Box::pin(async move {
            value.as_ref().map_or(Ok(()), |value| self.fits(value))?;
            let exchange = move |scope: &Scope<'_>| {
                if entries::get(scope.connection, &key, scope.now)? != expected {
                    return Ok(Ok(false));
                }
                entries::put(scope, &key, value.as_deref(), expires(scope, ttl))?;
                Ok(Ok(true))
            };
            self.shared.write(exchange, |_, _| {}).await
        })
    }

    fn scan(&self, prefix: Bytes, after: Option<Bytes>, limit: usize) -> PortFuture<'_, Vec<(Bytes, Bytes)>> {
        let now = self.shared.hub.now_ms();
        let scan = move |connection: &rusqlite::Connection| {
            entries::scan(connection, &prefix, after.as_deref(), limit, now)
        };
        Box::pin(self.shared.read(scan))
    }

    fn kv_set(
        &self,
        config: &ConfigId,
        key: &[u8],
        value: Bytes,
        ttl: Duration,
        quota: u64,
    ) -> PortFuture<'_, KvSet> {
        let (config, key) = (config.clone(), kv_key(config, key));
        Box::pin(async move {
            self.fits(&value)?;
            let put = move |scope: &Scope<'_>| {
                let needed = || -> rusqlite::Result<u64> {
                    let used = entries::usage(scope.connection, config.as_str())?;
                    let before = entries::stored_bytes(scope.connection, &key)?;
                    Ok(used.saturating_sub(before) + entries::size(&key, &value))
                };
                if needed()? > quota {
                    // What has expired counts for nobody. Each entry is removed once, so this costs what it
                    // frees.
                    while entries::purge(scope, entries::PURGE_ROWS)? > 0 {}
                    let needed = needed()?;
                    if needed > quota {
                        return Ok(Ok(KvSet::OverQuota { needed }));
                    }
                }
                entries::put(scope, &key, Some(&value), expires(scope, Some(ttl)))?;
                Ok(Ok(KvSet::Stored))
            };
            self.shared.write(put, |_, _| {}).await
        })
    }

    fn kv_usage(&self, config: &ConfigId) -> PortFuture<'_, u64> {
        let config = config.clone();
        Box::pin(async move {
            let usage = move |scope: &Scope<'_>| {
                while entries::purge(scope, entries::PURGE_ROWS)? > 0 {}
                entries::usage(scope.connection, config.as_str()).map(Ok)
            };
            self.shared.write(usage, |_, _| {}).await
        })
    }

    fn health(&self) -> PortFuture<'_, ()> {
        crate::Log::health(self)
    }
}
